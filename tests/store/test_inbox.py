"""The inbox: every event once, in order, whatever is repeated or runs side by side."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxStored
from mautrix_whatsapp_py.store.inbox import KEEP_IDS_DAYS, PRUNE_BATCH_ROWS, Inbox, InboxRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.tables import inbox, transactions
from tests.fakes.clock import FakeClock

DAY_SECONDS = 86400


def event(number: int, *, room: str = "!room", body: str = "{}") -> MxStored:
    return MxStored(
        seq=InboxSeq(0),
        event_id=MxEventId(f"$event{number}"),
        room_id=MxRoomId(room),
        sender=MxUserId("@ann:example.org"),
        kind="m.room.message",
        body=body,
    )


def ids(events: object) -> list[str]:
    assert isinstance(events, list | tuple)
    return [event.event_id for event in events]


async def rows(store: Store) -> tuple[int, int]:
    async with store.reading() as tx:
        events = await tx.execute(select(func.count()).select_from(inbox))
        known = await tx.execute(select(func.count()).select_from(transactions))
        return events.scalar_one(), known.scalar_one()


async def test_events_come_back_as_they_were_in_their_order(store: Store, clock: FakeClock) -> None:
    given = [
        event(number, room=f"!room{number % 3}", body=f'{{"n": "{number} ✅ \\u0000"}}') for number in range(1500)
    ]
    new = await Inbox(store, clock).add_transaction(MxTxnId("1"), given)
    assert ids(new) == ids(given)
    assert [stored.seq for stored in new] == sorted({stored.seq for stored in new})
    assert list(await Inbox(store, clock).get_pending()) == list(new)


async def test_a_repeated_transaction_is_a_no_op_also_after_a_restart(store: Store, clock: FakeClock) -> None:
    await Inbox(store, clock).add_transaction(MxTxnId("1"), [event(1)])
    again = Store(store.address)
    assert ids(await Inbox(again, clock).add_transaction(MxTxnId("1"), [event(1)])) == []
    assert ids(await Inbox(again, clock).get_pending()) == ["$event1"]
    await again.close()


async def test_a_transaction_id_used_again_loses_no_event(store: Store, clock: FakeClock) -> None:
    """Synapse on SQLite counts from 1 again after each restart."""
    box = Inbox(store, clock)
    await box.add_transaction(MxTxnId("1"), [event(1)])
    assert ids(await box.add_transaction(MxTxnId("1"), [event(1), event(2)])) == ["$event2"]
    assert ids(await box.get_pending()) == ["$event1", "$event2"]


async def test_a_repeated_event_is_stored_once(store: Store, clock: FakeClock) -> None:
    box = Inbox(store, clock)
    await box.add_transaction(MxTxnId("1"), [event(1), event(2)])
    new = await box.add_transaction(MxTxnId("2"), [event(2), event(3), event(1), event(3), event(4)])
    assert ids(new) == ["$event3", "$event4"]
    assert ids(await box.get_pending()) == ["$event1", "$event2", "$event3", "$event4"]


async def test_handled_events_lose_their_body_and_keep_their_id(store: Store, clock: FakeClock) -> None:
    box = Inbox(store, clock)
    first, second = await box.add_transaction(MxTxnId("1"), [event(1), event(2)])
    await box.mark_handled(first.seq)
    await box.mark_handled(first.seq)
    assert list(await box.get_pending()) == [second]
    assert ids(await box.add_transaction(MxTxnId("2"), [event(1)])) == []
    async with store.reading() as tx:
        bodies = await tx.execute(select(inbox.c.body).order_by(inbox.c.seq))
        assert list(bodies.scalars()) == [None, "{}"]


async def test_handling_and_its_effect_are_one_transaction(store: Store, clock: FakeClock) -> None:
    box = Inbox(store, clock)
    (stored,) = await box.add_transaction(MxTxnId("1"), [event(1)])
    async with store.transaction() as tx:
        await InboxRows().mark_handled(tx, stored.seq)
    assert list(await box.get_pending()) == []


async def test_the_same_transaction_side_by_side_is_stored_once(store: Store, clock: FakeClock) -> None:
    box = Inbox(store, clock)
    given = [event(number) for number in range(20)]
    results = await asyncio.gather(*(box.add_transaction(MxTxnId("1"), given) for _ in range(8)))
    assert sorted(len(result) for result in results) == [0] * 7 + [20]
    assert ids(await box.get_pending()) == ids(given)


async def test_a_transaction_without_events_is_remembered(store: Store, clock: FakeClock) -> None:
    assert list(await Inbox(store, clock).add_transaction(MxTxnId("1"), [])) == []
    assert await rows(store) == (0, 1)


async def test_old_ids_are_pruned_in_batches_and_pending_events_stay(store: Store, clock: FakeClock) -> None:
    box = Inbox(store, clock)
    assert PRUNE_BATCH_ROWS < 1199
    old = await box.add_transaction(MxTxnId("old"), [event(number) for number in range(1200)])
    async with store.transaction() as tx:
        for stored in old[:-1]:
            await InboxRows().mark_handled(tx, stored.seq)
    clock.advance((KEEP_IDS_DAYS - 1) * DAY_SECONDS)
    (young,) = await box.add_transaction(MxTxnId("young"), [event(5000)])
    await box.mark_handled(young.seq)
    assert await box.prune() == 0
    clock.advance(2 * DAY_SECONDS)
    assert await box.prune() == 1199 + 1
    assert ids(await box.get_pending()) == ids(old[-1:])
    assert await rows(store) == (2, 1)


async def test_sequence_numbers_are_never_used_again(store: Store, clock: FakeClock) -> None:
    box = Inbox(store, clock)
    (first,) = await box.add_transaction(MxTxnId("1"), [event(1)])
    await box.mark_handled(first.seq)
    clock.advance((KEEP_IDS_DAYS + 1) * DAY_SECONDS)
    assert await box.prune() == 2
    (second,) = await box.add_transaction(MxTxnId("2"), [event(2)])
    assert second.seq > first.seq
