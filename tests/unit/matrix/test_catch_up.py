"""What a homeserver forgot when it stopped is asked for before anything new is taken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from mautrix_whatsapp_py.errors import MatrixUnreachable, StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.matrix.catch_up import (
    BUSY_SECONDS,
    IDLE_LOOK_SECONDS,
    LOOK_SECONDS,
    MARK_SECONDS,
    RETURN_LOOK_SECONDS,
    SAFE_SECONDS,
    SHORT_ABSENCE,
    CatchUp,
    Gate,
)
from mautrix_whatsapp_py.matrix.intake import Intake, OutOfTurn
from mautrix_whatsapp_py.model.mx import MxMark, MxMissed, MxStored
from tests.fakes.clock import FakeClock
from tests.fakes.mx_inbox import FakeMxInbox
from tests.fakes.mx_sink import FakeMxSink


def stored(number: int) -> MxStored:
    return MxStored(
        seq=InboxSeq(0),
        event_id=MxEventId(f"${number}"),
        room_id=MxRoomId("!room"),
        sender=MxUserId("@ann:example.org"),
        kind="m.room.message",
        body=f'{{"event_id":"${number}","content":{{"msgtype":"m.text","body":"{number}"}}}}',
    )


def transaction(*numbers: int) -> bytes:
    events = ",".join(
        f'{{"event_id":"${number}","room_id":"!room","sender":"@ann:example.org","type":"m.room.message",'
        f'"content":{{"msgtype":"m.text","body":"{number}"}}}}'
        for number in numbers
    )
    return f'{{"events":[{events}]}}'.encode()


@dataclass
class FakeHomeserver:
    """A stream of numbered events; a token is how many there were."""

    events: list[MxStored] = field(default_factory=list)
    is_away: bool = False
    asked: list[str] = field(default_factory=list)
    said_meanwhile: list[MxStored] = field(default_factory=list)
    """What is written right after the next question."""

    async def fetch_reachable(self) -> None:
        if self.is_away:
            raise MatrixUnreachable

    async def fetch_token(self) -> str:
        await self.fetch_reachable()
        return str(len(self.events))

    async def fetch_since(self, token: str) -> MxMissed:
        await self.fetch_reachable()
        self.asked.append(token)
        found = MxMissed(events=tuple(self.events[int(token) :]), token=str(len(self.events)))
        self.events += self.said_meanwhile
        self.said_meanwhile = []
        return found


@dataclass
class FakeMarks:
    mark: MxMark | None = None
    is_away: bool = False

    async def get(self) -> MxMark | None:
        return self.mark

    async def put(self, mark: MxMark) -> None:
        if self.is_away:
            raise StoreUnavailable
        self.mark = mark


@dataclass
class Scene:
    clock: FakeClock = field(default_factory=FakeClock)
    homeserver: FakeHomeserver = field(default_factory=FakeHomeserver)
    marks: FakeMarks = field(default_factory=FakeMarks)
    sink: FakeMxSink = field(default_factory=FakeMxSink)
    inbox: FakeMxInbox = field(default_factory=FakeMxInbox)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The bridge of the next run."""
        self.gate = Gate(self.clock)
        self.intake = Intake(self.inbox, self.sink, gate=self.gate)
        self.catch_up = CatchUp(
            self.homeserver, self.marks, gate=self.gate, deliver=self.intake.take_missed, clock=self.clock
        )

    def say(self, number: int) -> None:
        """Somebody writes; nothing is sent to us yet."""
        self.homeserver.events.append(stored(number))

    async def send(self, txn_id: str, *numbers: int) -> None:
        await self.intake.take(MxTxnId(txn_id), transaction(*numbers))

    async def after(self, seconds: float) -> None:
        """Let time pass and what waits for it run."""
        for _ in range(5):
            await asyncio.sleep(0)
        self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def seen(self) -> list[str]:
        return list(self.sink.event_ids)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_what_stood_in_line_comes_before_what_is_sent_after_an_absence(scene: Scene) -> None:
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    scene.say(1)
    await scene.send("1", 1)
    scene.say(2)
    scene.homeserver.is_away = True
    await scene.after(LOOK_SECONDS)
    scene.say(3)
    with pytest.raises(OutOfTurn):
        await scene.send("2", 3)
    scene.homeserver.is_away = False
    await scene.after(RETURN_LOOK_SECONDS)
    await scene.send("2", 3)
    assert scene.seen == ["$1", "$2", "$3"]
    watching.cancel()


async def test_nothing_is_asked_of_a_homeserver_that_never_was_away(scene: Scene) -> None:
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    await scene.send("1", 1)
    for _ in range(200):
        await scene.after(LOOK_SECONDS)
    assert scene.homeserver.asked == []
    watching.cancel()


async def test_the_mark_is_older_than_anything_may_stand_in_line(scene: Scene) -> None:
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    said_at: dict[str, float] = {}
    for number in range(400):
        scene.say(number)
        said_at[str(number)] = scene.clock.monotonic()
        await scene.send(str(number), number)
        await scene.after(LOOK_SECONDS)
    scene.homeserver.is_away = True
    await scene.after(LOOK_SECONDS)
    scene.homeserver.is_away = False
    await scene.after(RETURN_LOOK_SECONDS)
    (token,) = scene.homeserver.asked
    age = scene.clock.monotonic() - said_at[token]
    assert SAFE_SECONDS <= age <= SAFE_SECONDS + 2 * MARK_SECONDS + 10
    assert scene.seen == [f"${number}" for number in range(400)]
    watching.cancel()


async def test_an_idle_bridge_looks_seldom_and_at_once_when_something_comes(scene: Scene) -> None:
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    await scene.after(BUSY_SECONDS)
    await scene.after(IDLE_LOOK_SECONDS)
    scene.homeserver.is_away = True
    await scene.after(LOOK_SECONDS)
    assert scene.gate.is_open
    scene.homeserver.is_away = False
    await scene.send("1", 1)
    await scene.after(0)
    scene.homeserver.is_away = True
    await scene.after(LOOK_SECONDS)
    assert not scene.gate.is_open
    watching.cancel()


@pytest.mark.parametrize("minutes", [0, 1, 600])
async def test_a_bridge_that_dies_during_the_absence_asks_at_its_next_start(scene: Scene, minutes: int) -> None:
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    await scene.send("1", 1)
    scene.say(1)
    scene.say(2)
    scene.homeserver.is_away = True
    await scene.after(LOOK_SECONDS)
    watching.cancel()
    await scene.after(minutes * 60)
    scene.homeserver.is_away = False
    scene.restart()
    await scene.catch_up.start()
    assert scene.seen == ["$1", "$2"]
    assert scene.marks.mark is not None
    assert not scene.marks.mark.is_due


async def test_a_machine_that_lost_both_is_looked_after_and_an_old_backup_is_not(scene: Scene) -> None:
    await scene.catch_up.start()
    scene.say(1)
    scene.restart()
    await scene.after((SHORT_ABSENCE - timedelta(seconds=1)).total_seconds())
    await scene.catch_up.start()
    assert scene.seen == ["$1"]
    scene.say(2)
    scene.restart()
    await scene.after(SHORT_ABSENCE.total_seconds())
    await scene.catch_up.start()
    assert scene.seen == ["$1"]


async def test_what_an_earlier_run_left_comes_before_what_was_missed(scene: Scene) -> None:
    await scene.catch_up.start()
    await scene.send("1", 1)
    scene.sink.events.clear()
    scene.say(1)
    scene.say(2)
    scene.restart()
    await scene.intake.replay()
    await scene.catch_up.start()
    await scene.intake.replay()
    assert scene.seen == ["$1", "$2"]


async def test_a_database_that_is_away_too_keeps_the_gate_closed(scene: Scene) -> None:
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    await scene.send("1", 1)
    scene.say(1)
    scene.say(2)
    scene.homeserver.is_away = scene.marks.is_away = True
    await scene.after(LOOK_SECONDS)
    scene.homeserver.is_away = False
    await scene.after(RETURN_LOOK_SECONDS)
    assert not scene.gate.is_open
    scene.marks.is_away = False
    await scene.after(RETURN_LOOK_SECONDS)
    assert scene.gate.is_open
    assert scene.seen == ["$1", "$2"]
    watching.cancel()


async def test_a_start_without_the_homeserver_goes_on(scene: Scene) -> None:
    scene.homeserver.is_away = True
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    await scene.after(IDLE_LOOK_SECONDS)
    assert scene.gate.is_open
    scene.homeserver.is_away = False
    await scene.after(IDLE_LOOK_SECONDS)
    assert scene.marks.mark is not None
    watching.cancel()


async def test_a_bridge_killed_again_and_again_leaves_nothing_between_two_looks(scene: Scene) -> None:
    await scene.catch_up.start()
    for number in range(1, 9, 2):
        scene.say(number)
        scene.homeserver.said_meanwhile = [stored(number + 1)]
        scene.restart()
        await scene.catch_up.start()
    scene.restart()
    await scene.catch_up.start()
    assert scene.seen == [f"${number}" for number in range(1, 9)]


async def test_what_stays_behind_when_a_refusal_was_made_up_for_is_asked_for(scene: Scene) -> None:
    await scene.catch_up.start()
    watching = asyncio.create_task(scene.catch_up.watch())
    for number in (1, 2, 3):
        scene.say(number)
    await scene.send("1", 1)
    await scene.after(LOOK_SECONDS)
    with pytest.raises(OutOfTurn):
        await scene.send("3", 3)
    for _ in range(5):
        # Nothing has come since: what is to come is still on its way.
        await scene.after(LOOK_SECONDS)
    assert scene.homeserver.asked == []
    await scene.send("2", 2)
    await scene.send("3", 3)
    # Said while the homeserver thinks that we are away, in the moment in which it finds out that we are not.
    scene.say(4)
    for _ in range(5):
        await scene.after(LOOK_SECONDS)
    assert scene.seen == ["$1", "$2", "$3", "$4"]
    assert len(scene.homeserver.asked) == 1
    for _ in range(5):
        await scene.after(LOOK_SECONDS)
    assert len(scene.homeserver.asked) == 1
    watching.cancel()
