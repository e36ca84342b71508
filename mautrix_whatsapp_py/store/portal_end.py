"""The end of a portal: everything that hangs on it goes with it."""

from __future__ import annotations

from sqlalchemy import delete, func, select

from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import kv, metadata, outbox, portals


class PortalEnd:
    """Rows of a portal in every table."""

    async def count_waiting(self, tx: Tx, portal_id: PortalId) -> int:
        """How many messages of a portal are on their way to WhatsApp."""
        query = select(func.count()).select_from(outbox).where(outbox.c.portal_id == portal_id)
        return int((await tx.execute(query)).scalar() or 0)

    async def remove(self, tx: Tx, portal_id: PortalId) -> None:
        """Forget a portal and what every table knows of it; its room is not touched."""
        for table in reversed(metadata.sorted_tables):
            for key in table.foreign_keys:
                if key.column.table is portals:
                    await tx.execute(delete(table).where(key.parent == portal_id))
        for prefix in (
            f"invited:{portal_id}:",
            f"read:{portal_id}:",
            f"own-mark:{portal_id}:",
            f"post:{portal_id}:",
            f"live:{portal_id}:",
            f"pinned:{portal_id}:",
            f"album:{portal_id}:",
            f"moving:{portal_id}:",
            f"relay:{portal_id}:",
        ):
            await tx.execute(delete(kv).where(kv.c.key.startswith(prefix, autoescape=True)))
        await tx.execute(delete(portals).where(portals.c.id == portal_id))
