"""Transactions where several workers take them, on a database in memory."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.matrix.forwarding import Forwarder, LeadingIntake, decode_forwarded, encode_ephemeral
from mautrix_whatsapp_py.matrix.intake import Intake, OutOfTurn
from mautrix_whatsapp_py.matrix.transaction import BadBody
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxEvent, MxMark, MxReceipt, MxStored, MxTyping

ROOM, ALICE = MxRoomId("!room:hs.test"), MxUserId("@alice:hs.test")
OURS = MxUserId("@whatsapp_1:hs.test")
TYPING = MxTyping(room_id=ROOM, users=frozenset({ALICE}))
RECEIPT = MxReceipt(
    room_id=ROOM, user=ALICE, event_id=MxEventId("$a"), is_private=True, read_at=datetime(2026, 1, 1, tzinfo=UTC)
)


@dataclass(frozen=True, slots=True)
class Taken:
    events: tuple[MxStored, ...]
    bodies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    last: MxTxnId | None
    is_due: bool
    has_any: bool


@dataclass(slots=True)
class Database:
    """The inbox and what is forwarded, for one worker and the next."""

    inbox: list[MxStored] = field(default_factory=list)
    forwarded: list[MxStored] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    last: MxTxnId | None = None
    mark: MxMark | None = None
    before_take: Callable[[], Awaitable[None]] | None = None
    hides_answer: bool = False
    """Whether the next that is taken is taken, and not told."""

    def add(self, events: Sequence[MxStored]) -> list[MxStored]:
        known = {event.event_id for event in self.inbox}
        new = [
            replace(event, seq=InboxSeq(len(self.inbox) + number))
            for number, event in enumerate(events, 1)
            if event.event_id not in known
        ]
        self.inbox += new
        return new

    async def add_transaction(self, txn_id: MxTxnId, events: Sequence[MxStored]) -> Sequence[MxStored]:
        return self.add(events)

    async def get_pending(self) -> Sequence[MxStored]:
        return list(self.inbox)

    async def mark_handled(self, seq: InboxSeq) -> None:
        raise NotImplementedError

    async def put(self, txn_id: MxTxnId, events: Sequence[MxStored], bodies: Sequence[str]) -> None:
        self.forwarded += self.add(events)
        self.bodies += bodies
        self.last = txn_id

    async def take(self) -> Taken:
        if self.before_take is not None:
            await self.before_take()
        taken = Taken(tuple(self.forwarded), tuple(self.bodies))
        self.forwarded, self.bodies = [], []
        if self.hides_answer:
            self.hides_answer = False
            raise StoreUnavailable
        return taken

    async def look(self) -> Standing:
        return Standing(
            last=self.last,
            is_due=self.mark is not None and self.mark.is_due,
            has_any=bool(self.forwarded or self.bodies),
        )

    async def set_last(self, txn_id: MxTxnId) -> None:
        self.last = txn_id


@dataclass(slots=True)
class Sink:
    """Implements MxEventSink."""

    heard: list[object] = field(default_factory=list)

    def on_mx_event(self, event: MxEvent, seq: InboxSeq) -> None:
        self.heard.append(event.origin.event_id)

    def on_mx_ephemeral(self, event: MxEphemeral) -> None:
        self.heard.append(event)


def body(*names: str, sender: str = ALICE, ephemeral: Sequence[object] = ()) -> bytes:
    events = [
        {
            "event_id": f"${name}",
            "room_id": ROOM,
            "sender": sender,
            "type": "m.room.message",
            "content": {"msgtype": "m.text", "body": name},
        }
        for name in names
    ]
    return json.dumps({"events": events, "ephemeral": ephemeral}).encode()


def stored(*names: str) -> list[MxStored]:
    return [
        MxStored(
            seq=InboxSeq(0),
            event_id=MxEventId(f"${name}"),
            room_id=ROOM,
            sender=ALICE,
            kind="m.room.message",
            body=json.dumps(json.loads(body(name))["events"][0]),
        )
        for name in names
    ]


def forwarder(database: Database) -> Forwarder:
    return Forwarder(database, is_wanted=lambda user: user != OURS)


def leader(database: Database, sink: Sink) -> LeadingIntake:
    intake = Intake(database, sink, is_ours=lambda user: user == OURS)
    return LeadingIntake(intake, database)


@pytest.mark.parametrize("event", [TYPING, RECEIPT, replace(RECEIPT, read_at=None, is_private=False)])
def test_what_is_not_stored_is_told_in_full(event: MxEphemeral) -> None:
    assert decode_forwarded(encode_ephemeral(event)) == event


async def test_the_leader_handles_in_the_order_of_all_workers() -> None:
    database, sink = Database(), Sink()
    aside, lead = forwarder(database), leader(database, sink)
    typing = {"type": "m.typing", "room_id": ROOM, "content": {"user_ids": [ALICE]}}
    await aside.take(MxTxnId("1"), body("a", ephemeral=[typing]))
    await aside.take(MxTxnId("2"), body("ours", sender=OURS))
    await lead.take(MxTxnId("3"), body("b"))
    await aside.take(MxTxnId("4"), body("c", "b"))
    await lead.gather()
    await lead.gather()
    assert sink.heard == ["$a", TYPING, "$b", "$c"]


async def test_who_begins_to_lead_hands_over_nothing_twice() -> None:
    database, sink = Database(), Sink()
    await forwarder(database).take(MxTxnId("1"), body("a"))
    lead = leader(database, sink)
    await lead.replay()
    # Stored before the replay looked, told of after it.
    database.forwarded = list(database.inbox)
    await lead.gather()
    assert sink.heard == ["$a"]


async def test_what_comes_while_somebody_begins_to_lead_is_handed_over() -> None:
    database, sink = Database(), Sink()
    lead = leader(database, sink)
    await lead.replay()
    await forwarder(database).take(MxTxnId("1"), body("a"))
    # Whoever listens asks again for what was left.
    await lead.replay()
    await lead.take(MxTxnId("2"), body("b"))
    assert sink.heard == ["$a", "$b"]


async def test_what_was_missed_comes_in_its_place_among_what_others_took() -> None:
    database, sink = Database(), Sink()
    aside, lead = forwarder(database), leader(database, sink)
    await lead.replay()
    await aside.take(MxTxnId("1"), body("a"))
    # Of all since the mark that the homeserver tells, somebody has taken a part meanwhile.
    assert await lead.take_missed(stored("a", "b")) == 1
    await aside.take(MxTxnId("2"), body("b", "c"))
    await lead.gather()
    assert sink.heard == ["$a", "$b", "$c"]


async def test_what_came_behind_what_was_missed_comes_behind_it() -> None:
    database, sink = Database(), Sink()
    aside, lead = forwarder(database), leader(database, sink)
    await lead.replay()

    async def interfere() -> None:
        await aside.take(MxTxnId("1"), body("b", "c"))

    database.before_take = interfere
    await lead.take_missed(stored("a", "b"))
    assert sink.heard == ["$a", "$b", "$c"]


async def test_what_was_taken_by_a_statement_without_an_answer_is_handed_over_in_its_place() -> None:
    database, sink = Database(), Sink()
    aside, lead = forwarder(database), leader(database, sink)
    await aside.take(MxTxnId("1"), body("a"))
    database.hides_answer = True
    with pytest.raises(StoreUnavailable):
        await lead.gather()
    await aside.take(MxTxnId("2"), body("b"))
    await lead.take(MxTxnId("3"), body("c"))
    await lead.gather()
    assert sink.heard == ["$a", "$b", "$c"]


async def test_a_transaction_that_no_worker_has_taken_is_asked_for() -> None:
    database, sink = Database(), Sink()
    aside, lead = forwarder(database), leader(database, sink)
    await aside.take(MxTxnId("1"), body("a"))
    await lead.take(MxTxnId("2"), body("b"))
    with pytest.raises(OutOfTurn):
        await aside.take(MxTxnId("4"), body("d"))
    await lead.take(MxTxnId("3"), body("c"))
    await aside.take(MxTxnId("4"), body("d"))
    with pytest.raises(OutOfTurn):
        await lead.take(MxTxnId("6"), body("f"))
    await lead.gather()
    assert sink.heard == ["$a", "$b", "$c", "$d"]


async def test_nobody_takes_anything_while_the_leader_asks_what_was_missed() -> None:
    database = Database(mark=MxMark(token="t", taken_at=datetime.now(UTC), is_due=True))
    with pytest.raises(OutOfTurn):
        await forwarder(database).take(MxTxnId("1"), body("a"))
    assert database.inbox == []
    with pytest.raises(BadBody):
        await forwarder(database).take(MxTxnId("1"), b"[]")
    assert await forwarder(database).replay() == 0
