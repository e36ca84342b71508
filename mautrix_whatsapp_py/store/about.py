"""What a database says of itself."""

from __future__ import annotations

from sqlalchemy import text

from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress


def kind_of(store: Store) -> str:
    """The kind of database, for readers."""
    return "SQLite" if isinstance(store.address, SqliteAddress) else "Postgres"


async def fetch_revision(store: Store) -> str:
    """The revision of our schema."""
    async with store.reading() as tx:
        return str((await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar())
