"""Bounds of the past: how much of the homeserver it takes, how long it waits, how long it is kept."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from mautrix_whatsapp_py.bridge.backfill.backfill import PURGE_EVERY_SECONDS
from mautrix_whatsapp_py.bridge.backfill.board import EDIT_EVERY_SECONDS
from mautrix_whatsapp_py.bridge.backfill.pace import BESIDE_PEOPLE, MOST, PEOPLE_STAY_SECONDS
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaHistorySync
from tests.fakes.history import FakeHistory
from tests.flow.chat import CLUB, LOGIN
from tests.flow.past import SETTINGS, Past
from tests.flow.world import ALICE, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)


@pytest.fixture
async def past(world: World) -> AsyncIterator[Past]:
    past = await Past.open(world)
    yield past
    await past.backfill.stop()


async def test_the_past_goes_slowly_while_people_write(past: Past) -> None:
    pace = past.backfill.deps.pace
    past.history.add(*past.write(1))
    await past.bring()
    assert pace.places == MOST
    await past.chat.hear("now")
    assert pace.places == BESIDE_PEOPLE
    past.world.clock.advance(PEOPLE_STAY_SECONDS)
    assert pace.places == MOST
    await past.chat.say("written on Matrix")
    assert pace.places == BESIDE_PEOPLE


async def test_news_that_nobody_waits_for_does_not_slow_it_down(past: Past) -> None:
    """Chunks of the past come with a storm of receipts and typing, and are themselves news."""
    await past.chat.hear("now")
    past.world.clock.advance(PEOPLE_STAY_SECONDS)
    await past.chat.receive(
        WaHistorySync(size=1),
        past.chat.receipt(),
        past.chat.typing(is_typing=True),
        past.chat.typing(is_typing=False),
    )
    assert past.backfill.deps.pace.places == MOST


async def test_a_phone_that_goes_on_sending_does_not_keep_the_newest_chats_waiting(world: World) -> None:
    past = await Past.open(world, replace(SETTINGS, wait=timedelta(seconds=10)))
    past.history.add(*past.write(3))

    def has_come() -> bool:
        past.history.chunk_at = world.clock.now()
        return bool(world.matrix.calls.count("invite"))

    past.wake()
    await past.until(has_come)
    assert len(past.chat.texts) == 3
    await past.backfill.stop()


@pytest.mark.parametrize("days", [0, 14])
async def test_what_was_not_brought_is_forgotten_in_time(world: World, days: int) -> None:
    past = await Past.open(world, replace(SETTINGS, keep=timedelta(days=days)))
    past.history.add(*past.write(60))
    await past.bring()
    assert world.clock.now() - past.history.purges[-1] - timedelta(days=days) < timedelta(minutes=5)
    done = len(past.history.purges)
    world.clock.advance(PURGE_EVERY_SECONDS)
    past.backfill.tick()
    await past.backfill.idle()
    assert past.history.purges[done:] == [world.clock.now() - timedelta(days=days)]
    await past.backfill.stop()


@pytest.mark.parametrize("is_late", [False, True])
async def test_missed_messages_that_are_too_many_are_told_of_once(world: World, *, is_late: bool) -> None:
    past = await Past.open(world, replace(SETTINGS, max_catchup=2))
    past.history.add(*past.write(2))
    await past.bring()
    world.clock.advance(600)
    await past.chat.link(ALICE, LOGIN)
    world.clock.advance(60)
    past.histories[LOGIN] = FakeHistory()
    missed = [
        past.message(WaText(body=f"missed {number}"), number=number, age=timedelta(minutes=-2))
        for number in range(5)
    ]
    past.history.add(*past.write(2), *missed)
    before = len(world.matrix.calls)
    world.matrix.crash("send_message", is_answer_lost=is_late)
    past.wake()
    await past.until(lambda: "send_message" in world.matrix.calls[before:])
    await past.restart(is_killed=True)
    await past.bring()
    line, *rest = past.chat.texts[2:]
    assert "3 messages between" in line
    assert rest == ["missed 3", "missed 4"]
    await past.backfill.stop()


async def test_an_old_chat_counts_as_read_whatever_the_phone_says(world: World) -> None:
    past = await Past.open(world, replace(SETTINGS, unread_age=timedelta(hours=12)))
    past.history.add(*past.write(10), unread=3)
    await past.bring()
    calls = [call for call in world.matrix.calls if call in {"send_message", "invite"}]
    assert calls == [*["send_message"] * 10, "invite"]
    await past.backfill.stop()


async def test_the_notice_is_edited_now_and_then_and_says_how_long_it_takes(past: Past) -> None:
    for number in range(12):
        chat = replace(CLUB, user=f"{CLUB.user}{number:02}")
        past.history.add(*past.write(20, chat=chat), name=f"Club {number}")
    sent: list[tuple[float, str]] = []

    def is_done() -> bool:
        notices = past.world.matrix.sent[len(sent) :]
        sent.extend((past.world.clock.monotonic(), one.notice.body) for one in notices)
        return bool(sent) and "Brought over" in sent[-1][1]

    past.wake()
    await past.until(is_done)
    times = [at for at, _ in sent[:-1]]
    assert len(times) > 2
    assert all(later - earlier >= EDIT_EVERY_SECONDS - 1 for earlier, later in itertools.pairwise(times))
    assert any(text.endswith("to go. Send `cancel` to stop.") for _, text in sent)
    assert "12 chats with 240 messages" in sent[-1][1]


async def test_what_was_damaged_is_told_of_once_also_when_nothing_else_came(past: Past) -> None:
    past.history.problems = ("it ends too early",)
    await past.chat.receive(WaHistorySync(size=1))
    await past.bring()
    await past.restart()
    await past.bring()
    (notice,) = past.world.matrix.sent
    assert "could not be used: it ends too early." in notice.notice.body
    past.history.add(*past.write(3))
    past.history.problems = ("it is empty", "it ends too early")
    await past.bring()
    assert "1 chat with 3 messages" in past.world.matrix.sent[-1].notice.body
    assert past.world.matrix.sent[-1].notice.body.count("could not be used") == 1
    assert "it is empty" in past.world.matrix.sent[-1].notice.body
    past.history.add(*past.write(2, chat=CLUB), name="Club")
    await past.bring()
    assert "could not be used" not in past.world.matrix.sent[-1].notice.body
