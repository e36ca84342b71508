"""What only a server can do to us."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from mautrix_whatsapp_py.errors import StoreError, StoreUnavailable
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import PostgresAddress
from tests.postgres import Postgres

pytestmark = pytest.mark.parametrize("migrated", ["postgres"], indirect=True)
rows = KvRows()


def cut_connections(postgres: Postgres, store: Store) -> None:
    assert isinstance(store.address, PostgresAddress)
    name = store.address.name.split(" ")[0]
    postgres.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")


async def test_connections_the_server_closed_are_replaced(postgres: Postgres, store: Store) -> None:
    await asyncio.gather(*(store.check() for _ in range(5)))
    cut_connections(postgres, store)
    async with asyncio.timeout(20):
        while not await answers(store):
            await asyncio.sleep(0)
    await asyncio.gather(*(store.check() for _ in range(20)))


async def answers(store: Store) -> bool:
    try:
        await store.check()
    except StoreUnavailable:
        return False
    return True


async def test_a_connection_cut_inside_a_transaction_is_unavailability(postgres: Postgres, store: Store) -> None:
    with pytest.raises(StoreUnavailable):
        async with store.transaction() as tx:
            await tx.execute(text("SELECT 1"))
            cut_connections(postgres, store)
            await rows.put(tx, "key", "value")
    async with store.reading() as tx:
        assert await rows.get(tx, "key") is None


async def test_nul_in_text_is_refused_for_good(store: Store) -> None:
    with pytest.raises(StoreError) as caught:
        async with store.transaction() as tx:
            await rows.put(tx, "key", "a\0b")
    assert not isinstance(caught.value, StoreUnavailable)
