"""What other workers took, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxMark, MxStored
from mautrix_whatsapp_py.store.forwarding import CHANNEL, Forwarding, Look
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.leases import Lease, Leases
from mautrix_whatsapp_py.store.marks import Marks
from mautrix_whatsapp_py.store.notify import Listener
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.straight import Straight
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress
from tests.fakes.clock import FakeClock
from tests.store.conftest import migrated_copy

DEADLINE_SECONDS = 30


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    with migrated_copy("postgres", request, tmp_path) as found:
        yield found


@pytest.fixture
async def shared(address: DatabaseAddress) -> AsyncIterator[Store]:
    store = Store(address, connections=4)
    yield store
    await store.close()


@pytest.fixture
async def line(address: DatabaseAddress) -> AsyncIterator[Straight]:
    assert isinstance(address, PostgresAddress)
    made = Straight(address, application="test")
    yield made
    await made.close()


async def lead(store: Store, *, ttl_seconds: float = 30.0) -> Lease:
    claimed = await Leases(store).claim("bridge", "holder", ttl_seconds=ttl_seconds)
    assert claimed is not None
    return claimed.lease


def stored(name: str) -> MxStored:
    return MxStored(
        seq=InboxSeq(0),
        event_id=MxEventId(f"${name}"),
        room_id=MxRoomId("!room:hs.test"),
        sender=MxUserId("@alice:hs.test"),
        kind="m.room.message",
        body="{}",
    )


async def test_the_leader_gets_everything_once_in_order(shared: Store, line: Straight) -> None:
    clock = FakeClock()
    forwarding, inbox = Forwarding(line, clock, lead=await lead(shared)), Inbox(shared, clock)
    assert await forwarding.look() == Look(last=None, is_due=False, has_any=False)
    assert (await forwarding.take()).events == ()
    await forwarding.put(MxTxnId("1"), [stored("a"), stored("b")], ["typing"])
    await forwarding.put(MxTxnId("2"), [stored("b"), stored("c")], [])
    # The homeserver repeats what it got no answer to, to another worker.
    await forwarding.put(MxTxnId("2"), [stored("b"), stored("c")], [])
    assert (await forwarding.look()).has_any
    taken = await forwarding.take()
    assert taken.events[0] == replace(stored("a"), seq=taken.events[0].seq)
    assert [event.event_id for event in taken.events] == ["$a", "$b", "$c"]
    assert taken.bodies == ("typing",)
    assert (await forwarding.take()).events == ()
    # Until they are handled they are in the inbox, for whoever leads next.
    assert [event.event_id for event in await inbox.get_pending()] == ["$a", "$b", "$c"]
    assert await forwarding.look() == Look(last=MxTxnId("2"), is_due=False, has_any=False)
    await forwarding.set_last(MxTxnId("3"))
    await Marks(shared).put(MxMark(token="t", taken_at=clock.now(), is_due=True))
    assert await forwarding.look() == Look(last=MxTxnId("3"), is_due=True, has_any=False)


async def test_what_is_only_of_the_moment_comes_in_order(shared: Store, line: Straight) -> None:
    forwarding = Forwarding(line, FakeClock(), lead=await lead(shared))
    await forwarding.put(MxTxnId("1"), [], ["a", "b"])
    await forwarding.put(MxTxnId("2"), [], [])
    assert (await forwarding.take()).bodies == ("a", "b")
    assert (await forwarding.look()).last == "2"


async def test_whoever_leads_no_more_takes_nothing_and_says_nothing(shared: Store, line: Straight) -> None:
    former = await lead(shared, ttl_seconds=-1)
    stale = Forwarding(line, FakeClock(), lead=former)
    leading = Forwarding(line, FakeClock(), lead=await lead(shared))
    await leading.put(MxTxnId("1"), [stored("a")], [])
    assert (await stale.take()).events == ()
    await stale.set_last(MxTxnId("0"))
    assert (await leading.look()).last == "1"
    assert [event.event_id for event in (await leading.take()).events] == ["$a"]


async def test_what_is_handled_already_is_not_handed_over(shared: Store, line: Straight) -> None:
    clock = FakeClock()
    forwarding, inbox = Forwarding(line, clock, lead=await lead(shared)), Inbox(shared, clock)
    await forwarding.put(MxTxnId("1"), [stored("a"), stored("b")], [])
    (first, _) = await inbox.get_pending()
    await inbox.mark_handled(first.seq)
    assert [event.event_id for event in (await forwarding.take()).events] == ["$b"]


async def test_the_leader_is_called_at_once_also_over_a_lost_connection(
    shared: Store, line: Straight, address: DatabaseAddress
) -> None:
    assert isinstance(address, PostgresAddress)
    clock = FakeClock()
    forwarding = Forwarding(line, clock, lead=await lead(shared))
    listener = Listener(address, application="listener", clock=clock, channel=CHANNEL)
    listening = asyncio.ensure_future(listener.listen())
    for number in range(2):
        # As soon as it listens it calls, for what came before.
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not listener.news.is_set():
                clock.advance(1.0)
                await asyncio.sleep(0.01)  # a server accepts without telling
        await listener.wait(DEADLINE_SECONDS)
        await forwarding.put(MxTxnId(str(number)), [stored(str(number))], [])
        await listener.wait(DEADLINE_SECONDS)
        assert len((await forwarding.take()).events) == 1
        await _cut(shared)
    listening.cancel()


async def _cut(store: Store) -> None:
    from sqlalchemy import text

    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listener'"
    async with store.transaction() as tx:
        await tx.execute(text(statement))
