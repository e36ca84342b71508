"""Requests on their way to the worker that leads, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.store.cluster_tables import http_post
from mautrix_whatsapp_py.store.http_post import CHANNEL, HttpPost, leader_name
from mautrix_whatsapp_py.store.leases import Lease, Leases
from mautrix_whatsapp_py.store.notify import Listener
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress
from tests.store.conftest import migrated_copy

LEAD, STANDBY = "bridge", "w1"
DEADLINE_SECONDS = 30


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    with migrated_copy("postgres", request, tmp_path) as found:
        yield found


@pytest.fixture
async def shared(address: DatabaseAddress) -> AsyncIterator[Store]:
    store = Store(address, connections=4, is_autocommit=True)
    yield store
    await store.close()


async def elect(store: Store, holder: str, *, ttl_seconds: float = 30.0) -> Lease:
    claimed = await Leases(store).claim(LEAD, holder, ttl_seconds=ttl_seconds)
    assert claimed is not None
    return claimed.lease


async def count(store: Store) -> int:
    async with store.reading() as tx:
        return int((await tx.execute(select(func.count()).select_from(http_post))).scalar() or 0)


async def test_letters_go_to_whoever_leads_and_back_in_order(shared: Store) -> None:
    post = HttpPost(shared, lease=LEAD)
    assert await post.ask("a", b"nobody hears", sender=STANDBY) is None
    leader = leader_name(await elect(shared, "w0"))
    assert await post.ask("a", b"one", sender=STANDBY) == leader
    assert await post.put(leader, "a", b"two", sender=STANDBY, leader=leader)
    taken = await post.take(leader)
    assert [(letter.sender, letter.line, letter.body) for letter in taken] == [
        (STANDBY, "a", b"one"),
        (STANDBY, "a", b"two"),
    ]
    assert await count(shared) == 0
    assert await post.put(STANDBY, "a", b"answer", sender=leader, leader=leader)
    assert [letter.body for letter in await post.take(STANDBY)] == [b"answer"]
    assert await post.take(STANDBY) == []


async def test_nothing_of_one_leader_reaches_the_next(shared: Store) -> None:
    post, leases = HttpPost(shared, lease=LEAD), Leases(shared)
    lease = await elect(shared, "w0")
    first = leader_name(lease)
    await post.ask("a", b"for the first", sender=STANDBY)
    await leases.release(lease)
    assert not await post.put(first, "a", b"more", sender=STANDBY, leader=first)
    # The same process may lead again: it is another leader.
    second = leader_name(await elect(shared, "w0"))
    assert second != first
    assert not await post.put(STANDBY, "a", b"an old answer", sender=first, leader=first)
    assert await post.ask("b", b"for the second", sender=STANDBY) == second
    await post.tidy(second)
    assert await post.take(first) == []
    assert [letter.body for letter in await post.take(second)] == [b"for the second"]


async def test_a_lease_that_ran_out_is_nobodys(shared: Store) -> None:
    post = HttpPost(shared, lease=LEAD)
    leader = leader_name(await elect(shared, "w0", ttl_seconds=-1.0))
    assert await post.ask("a", b"x", sender=STANDBY) is None
    assert not await post.put(STANDBY, "a", b"x", sender=leader, leader=leader)
    assert await count(shared) == 0


async def test_what_was_not_taken_is_withdrawn(shared: Store) -> None:
    post = HttpPost(shared, lease=LEAD)
    leader = leader_name(await elect(shared, "w0"))
    for line in "ab":
        await post.ask(line, b"x", sender=STANDBY)
    assert await post.withdraw(leader, "a")
    assert not await post.withdraw(leader, "a")
    assert [letter.line for letter in await post.take(leader)] == ["b"]
    await post.put(STANDBY, "b", b"answer", sender=leader, leader=leader)
    await post.put(leader, "b", b"more", sender=STANDBY, leader=leader)
    await post.drop("b")
    assert await count(shared) == 0


async def test_recipients_are_told_and_nothing_is_logged(shared: Store, address: DatabaseAddress) -> None:
    assert isinstance(address, PostgresAddress)
    post = HttpPost(shared, lease=LEAD)
    leader = leader_name(await elect(shared, "w0"))
    async with shared.reading() as tx:
        kind = (await tx.execute(text("SELECT relpersistence FROM pg_class WHERE relname = 'http_post'"))).scalar()
    assert kind in ("u", b"u")
    news = Listener(address, application="w0", clock=SystemClock(), channel=CHANNEL, recipient=leader)
    listening = asyncio.ensure_future(news.listen())
    # Set once when it begins to listen.
    assert await news.wait(DEADLINE_SECONDS)
    await post.put(STANDBY, "a", b"for another", sender=leader, leader=leader)
    await post.ask("a", b"x", sender=STANDBY)
    assert await news.wait(DEADLINE_SECONDS)
    assert not await news.wait(0.01)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
