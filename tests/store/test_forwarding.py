"""What other workers took, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxStored
from mautrix_whatsapp_py.store.forwarding import Forwarding, Listener
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.store import Store
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


def stored(name: str) -> MxStored:
    return MxStored(
        seq=InboxSeq(0),
        event_id=MxEventId(f"${name}"),
        room_id=MxRoomId("!room:hs.test"),
        sender=MxUserId("@alice:hs.test"),
        kind="m.room.message",
        body="{}",
    )


async def test_the_leader_gets_everything_once_in_order(shared: Store) -> None:
    clock = FakeClock()
    forwarding, inbox = Forwarding(shared, clock), Inbox(shared, clock)
    assert await forwarding.get_last() is None
    assert (await forwarding.take()).events == ()
    await forwarding.put(MxTxnId("1"), [stored("a"), stored("b")], ["typing"])
    await forwarding.put(MxTxnId("2"), [stored("b"), stored("c")], [])
    # The homeserver repeats what it got no answer to, to another worker.
    await forwarding.put(MxTxnId("2"), [stored("b"), stored("c")], [])
    taken = await forwarding.take()
    assert [event.event_id for event in taken.events] == ["$a", "$b", "$c"]
    assert taken.bodies == ("typing",)
    assert (await forwarding.take()).events == ()
    # Until they are handled they are in the inbox, for whoever leads next.
    assert [event.event_id for event in await inbox.get_pending()] == ["$a", "$b", "$c"]
    assert await forwarding.get_last() == "2"
    await forwarding.set_last(MxTxnId("3"))
    assert await forwarding.get_last() == "3"


async def test_what_is_handled_already_is_not_handed_over(shared: Store) -> None:
    clock = FakeClock()
    forwarding, inbox = Forwarding(shared, clock), Inbox(shared, clock)
    await forwarding.put(MxTxnId("1"), [stored("a"), stored("b")], [])
    (first, _) = await inbox.get_pending()
    await inbox.mark_handled(first.seq)
    assert [event.event_id for event in (await forwarding.take()).events] == ["$b"]


async def test_the_leader_is_called_at_once_also_over_a_lost_connection(
    shared: Store, address: DatabaseAddress
) -> None:
    assert isinstance(address, PostgresAddress)
    clock = FakeClock()
    forwarding, listener = Forwarding(shared, clock), Listener(address, application="listener", clock=clock)
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
