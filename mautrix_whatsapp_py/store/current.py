"""Whether a database is up to date, found out without alembic, which is slow to load and stays in memory."""

from __future__ import annotations

from sqlalchemy import select, text

from mautrix_whatsapp_py.errors import StoreError, StoreUnavailable
from mautrix_whatsapp_py.store.ownership import HOMESERVER_TABLES, OWNER
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.tables import database_owner
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress

HEAD = "0034"
"""The newest revision in alembic/."""


async def is_current(address: DatabaseAddress) -> bool:
    """Whether the database is ours alone and has the newest schema; whatever is unclear is for the migrations."""
    if isinstance(address, SqliteAddress) and not address.path.is_file():
        return False
    try:
        store = Store(address)
    except OSError:
        return False
    try:
        return (
            await _fetch_owner(store) == OWNER
            and await fetch_revision(store) == HEAD
            and not await _is_shared(store)
        )
    except StoreError:
        return False
    finally:
        await store.close()


async def fetch_revision(store: Store) -> str | None:
    """The revision of the schema."""
    async with store.reading() as tx:
        revision = (await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    return None if revision is None else str(revision)


async def _fetch_owner(store: Store) -> object:
    async with store.reading() as tx:
        return (await tx.execute(select(database_owner.c.owner))).scalar()


async def _is_shared(store: Store) -> bool:
    """Whether a homeserver's tables are there too."""
    for table in HOMESERVER_TABLES:
        try:
            async with store.reading() as tx:
                await tx.execute(text(f"SELECT 1 FROM {table} LIMIT 1"))  # noqa: S608  names of ours
        except StoreUnavailable:
            raise
        except StoreError:
            continue
        return True
    return False
