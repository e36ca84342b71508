"""Small facts that are no table's business."""

from __future__ import annotations

from sqlalchemy import delete, select

from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import kv


class KvRows:
    """The table `kv`."""

    async def get(self, tx: Tx, key: str) -> str | None:
        """The value of a key."""
        value = (await tx.execute(select(kv.c.value).where(kv.c.key == key))).scalar()
        return None if value is None else str(value)

    async def put(self, tx: Tx, key: str, value: str) -> None:
        """Set a key, whether it is known or not."""
        insert = tx.insert(kv).values(key=key, value=value)
        await tx.execute(insert.on_conflict_do_update(index_elements=[kv.c.key], set_={"value": value}))

    async def get_prefixed(self, tx: Tx, prefix: str) -> list[tuple[str, str]]:
        """The keys that begin so, and their values."""
        where = kv.c.key.startswith(prefix, autoescape=True)
        rows = await tx.execute(select(kv).where(where).order_by(kv.c.key))
        return [(str(row.key), str(row.value)) for row in rows]

    async def drop(self, tx: Tx, key: str) -> None:
        """Forget a key."""
        await tx.execute(delete(kv).where(kv.c.key == key))
