"""Users who said whether, and with which token, the bridge may act as them."""

from __future__ import annotations

from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import double_puppets


class DoublePuppetRows:
    """The table `double_puppets`; an empty token is a refusal."""

    async def get_all(self, tx: Tx) -> dict[MxUserId, str]:
        """The tokens by user."""
        rows = await tx.execute(select(double_puppets))
        return {MxUserId(row.mxid): str(row.access_token) for row in rows}

    async def put(self, tx: Tx, user: MxUserId, token: str) -> None:
        """Remember a user's token or refusal, in the place of what was known."""
        insert = tx.insert(double_puppets).values(mxid=user, access_token=token)
        await tx.execute(
            insert.on_conflict_do_update(index_elements=[double_puppets.c.mxid], set_={"access_token": token})
        )

    async def drop(self, tx: Tx, user: MxUserId) -> None:
        """Know nothing of a user any more."""
        await tx.execute(delete(double_puppets).where(double_puppets.c.mxid == user))
