"""When something was last said in chats."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from mautrix_whatsapp_py.ids import WaJid, decode_jid
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import messages, portals


class RecencyRows:
    """The newest rows of `messages`, by chat."""

    async def get_shared(self, tx: Tx) -> Mapping[WaJid, int]:
        """The time in milliseconds of the newest message of every chat that logins share."""
        # One look into the index per chat, however long the chats are.
        newest = select(func.max(messages.c.sent_at_ms)).where(messages.c.portal_id == portals.c.id)
        rows = await tx.execute(
            select(portals.c.chat, newest.scalar_subquery().label("at")).where(portals.c.receiver == "")
        )
        return {decode_jid(row.chat): row.at for row in rows if row.at is not None}
