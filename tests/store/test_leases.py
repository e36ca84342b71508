"""Workers and leases, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.store.leases import Leases, is_held
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.tx import Tx
from mautrix_whatsapp_py.store.url import DatabaseAddress
from tests.store.conftest import migrated_copy

TTL_SECONDS = 30.0
GONE_SECONDS = -1.0
"""A lease of this length has run out when it is taken."""


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[DatabaseAddress]:
    with migrated_copy("postgres", request, tmp_path) as found:  # type: ignore[arg-type]
        yield found


@pytest.fixture
async def leases(address: DatabaseAddress) -> AsyncIterator[Leases]:
    store = Store(address, connections=4, is_autocommit=True)
    yield Leases(store)
    await store.close()


async def test_a_lease_has_one_holder_and_its_epoch_grows(leases: Leases) -> None:
    first = await leases.claim("bridge", "one", ttl_seconds=TTL_SECONDS)
    assert first is not None
    assert first.former is None
    assert first.lease.epoch == 1
    assert await leases.claim("bridge", "two", ttl_seconds=TTL_SECONDS) is None
    assert await leases.renew(first.lease, ttl_seconds=TTL_SECONDS)
    await leases.release(first.lease)
    assert not await leases.renew(first.lease, ttl_seconds=TTL_SECONDS)
    second = await leases.claim("bridge", "two", ttl_seconds=TTL_SECONDS)
    assert second is not None
    # Given back: the former holder goes on with whatever else it does.
    assert second.former is None
    assert second.lease.epoch == 2
    await leases.release(first.lease)
    (state,) = await leases.get_leases()
    assert state.lease == second.lease
    assert 0 < state.left_seconds <= TTL_SECONDS


async def test_of_many_that_claim_one_gets_it(leases: Leases) -> None:
    await leases.claim("bridge", "dead", ttl_seconds=GONE_SECONDS)
    claims = [leases.claim("bridge", str(number), ttl_seconds=TTL_SECONDS) for number in range(8)]
    found = [claimed for claimed in await asyncio.gather(*claims) if claimed is not None]
    assert [(claimed.former, claimed.lease.epoch) for claimed in found] == [("dead", 2)]


async def test_a_lease_that_ran_out_is_not_renewed(leases: Leases) -> None:
    claimed = await leases.claim("bridge", "one", ttl_seconds=GONE_SECONDS)
    assert claimed is not None
    assert not await leases.renew(claimed.lease, ttl_seconds=TTL_SECONDS)


async def test_workers_are_known_drained_and_forgotten(leases: Leases) -> None:
    assert await leases.beat("a", "a 1", version="1", ttl_seconds=TTL_SECONDS) is False
    assert await leases.beat("b", "b 1", version="1", ttl_seconds=TTL_SECONDS) is False
    assert await leases.beat("a", "a 2", version="1", ttl_seconds=TTL_SECONDS) is None
    assert await leases.drain("a")
    assert not await leases.drain("nobody")
    assert await leases.beat("a", "a 1", version="1", ttl_seconds=TTL_SECONDS) is True
    # Started anew after its predecessor was not heard of for long: it drains no more.
    assert await leases.beat("a", "a 2", version="2", ttl_seconds=GONE_SECONDS) is False
    states = await leases.get_workers()
    assert [(state.name, state.holder, state.version) for state in states] == [
        ("a", "a 2", "2"),
        ("b", "b 1", "1"),
    ]
    await leases.leave("b", "b 1")
    await leases.leave("a", "a 1")
    assert [state.name for state in await leases.get_workers()] == ["a"]


async def test_a_writer_without_its_lease_changes_nothing(leases: Leases, address: DatabaseAddress) -> None:
    claimed = await leases.claim("bridge", "one", ttl_seconds=GONE_SECONDS)
    assert claimed is not None
    store = Store(address, application="one", is_allowed=lambda tx: is_held(tx, claimed.lease))

    async def write(tx: Tx) -> None:
        await tx.execute(text("INSERT INTO kv(key, value) VALUES ('key', 'value')"))

    await store.write(write)
    assert await leases.claim("bridge", "two", ttl_seconds=TTL_SECONDS)
    for attempt in (store.write(write), _in_transaction(store, write)):
        with pytest.raises(StoreUnavailable, match="Another worker"):
            await attempt
    async with store.reading() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM kv"))).scalar() == 1
    await store.close()


async def _in_transaction(store: Store, write: object) -> None:
    async with store.transaction() as tx:
        await write(tx)  # type: ignore[operator]


async def test_what_hangs_half_done_is_rolled_back(leases: Leases, address: DatabaseAddress) -> None:
    frozen = Store(address, application="one")
    with pytest.raises(StoreUnavailable):
        async with frozen.transaction() as tx:
            await tx.execute(text("INSERT INTO kv(key, value) VALUES ('key', 'late')"))
            while await leases.cut_off("one"):
                await asyncio.sleep(0.05)  # the server ends it without telling us
    async with frozen.reading() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM kv"))).scalar() == 0
    await frozen.close()
