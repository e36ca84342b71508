"""The past comes into rooms in order, once, quietly, and before what happens meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from mautrix_whatsapp_py.convert.polls import digest_of
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, PortalKey, WaMessageId
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxMessageContent,
    MxReactionContent,
    MxReply,
    WaContext,
    WaEdit,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaText,
)
from mautrix_whatsapp_py.model.polls import MxPollVote
from mautrix_whatsapp_py.model.rich import WaPoll, WaPollVote
from mautrix_whatsapp_py.model.wa import WaHistorySync
from mautrix_whatsapp_py.model.wa_history import WaHistoryStage
from tests.fakes.history import FakeHistory
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, BEN_GHOST, CARLA, CLUB, LOGIN, OWN_GHOST, ref
from tests.flow.past import SETTINGS, Past
from tests.flow.world import ALICE, BOB, BOT, World


@pytest.fixture
async def past(world: World) -> AsyncIterator[Past]:
    past = await Past.open(world)
    yield past
    await past.backfill.stop()


def room_with(past: Past, body: str) -> MxRoomId:
    """The room where something was said."""
    return next(
        said.room_id
        for said in past.world.chats.said
        if isinstance(said.content, MxMessageContent) and said.content.body == body
    )


async def test_a_chat_comes_whole_before_its_user_is_called(past: Past) -> None:
    past.history.add(*past.write(30))
    await past.bring()
    world, room_id = past.world, past.chat.room_id
    assert past.chat.texts == [f"{BEN.user} {number}" for number in range(30)]
    times = [said.sent_at for said in world.chats.said]
    assert times == [START - timedelta(days=1) + timedelta(minutes=number) for number in range(30)]
    assert world.chats.rooms[room_id].invites == ()
    calls = [call for call in world.matrix.calls if call in {"create_room", "send_message", "invite"}]
    assert calls == ["create_room", *["send_message"] * 30, "invite"]
    assert ALICE in world.matrix.rooms[room_id].invited
    assert (room_id, ALICE) in world.chats.direct_invites
    assert past.count(WaHistoryStage.DONE) == 30
    assert not await world.talk.store.read(world.talk.rows.backfills.get_open_chats)


async def test_only_the_newest_messages_of_a_month_come_and_the_rest_is_kept(past: Past) -> None:
    past.history.add(*past.write(80))
    past.history.add(*past.write(5, chat=CARLA, age=timedelta(days=40)))
    await past.bring()
    assert past.chat.texts == [f"{BEN.user} {number}" for number in range(30, 80)]
    assert past.count(WaHistoryStage.KEPT) == 35


async def test_the_newest_chats_come_first_and_as_many_as_are_wanted(world: World) -> None:
    past = await Past.open(world, replace(SETTINGS, max_chats=2))
    past.history.add(*past.write(2, age=timedelta(days=3)))
    past.history.add(*past.write(2, chat=CARLA, age=timedelta(days=1)))
    past.history.add(*past.write(2, chat=CLUB, age=timedelta(days=2)), name="Club")
    await past.bring()
    names = [room.name for room in world.chats.rooms.values()]
    assert sorted(names) == ["", "Club"]
    assert past.count(WaHistoryStage.KEPT) == 2
    await past.backfill.stop()


async def test_what_happens_meanwhile_waits_for_its_chat_and_no_other(past: Past) -> None:
    past.history.is_unpacking = True
    past.history.add(*past.write(3))
    await past.chat.receive(WaHistorySync(size=1))
    await past.chat.hear("now")
    await past.chat.receive(past.chat.message(WaText(body="and now")))
    assert not past.world.chats.said
    past.history.is_unpacking = False
    await past.bring()
    assert past.chat.texts == [*(f"{BEN.user} {number}" for number in range(3)), "now", "and now"]
    assert not past.chat.unacknowledged()
    past.history.add(*past.write(3, chat=CARLA))
    past.history.is_unpacking = True
    await past.chat.receive(WaHistorySync(size=1))
    await past.chat.hear("Ben need not wait for Carla")
    assert past.chat.texts[-1] == "Ben need not wait for Carla"


async def test_a_chat_somebody_writes_in_comes_next(past: Past) -> None:
    """Its messages wait, and a session runs only so far ahead of what is acknowledged."""
    past.history.is_unpacking = True
    for number in range(20):
        chat = replace(CLUB, user=f"{CLUB.user}{number:02}")
        past.history.add(*past.write(2, chat=chat, age=timedelta(days=1, hours=number)), name=f"Club {number}")
    await past.chat.receive(WaHistorySync(size=1))
    last = replace(CLUB, user=f"{CLUB.user}19")
    await past.chat.receive(past.chat.message(WaText(body="now"), chat=last))
    past.history.is_unpacking = False
    await past.bring()
    first_rooms = [room.name for room in list(past.world.chats.rooms.values())[:8]]
    assert "Club 19" in first_rooms
    assert past.world.chats.texts(room_with(past, "now"))[-1] == "now"


async def test_new_chats_of_a_fresh_account_wait_a_moment_for_their_past(world: World) -> None:
    past = await Past.open(world)
    await past.chat.link(BOB, LOGIN)
    await past.chat.hear("just linked")
    assert not world.chats.said
    past.history.add(*past.write(2))
    await past.chat.receive(WaHistorySync(size=1))
    await past.bring()
    assert past.chat.texts[-1] == "just linked"
    assert len(past.chat.texts) == 3
    await past.backfill.stop()


async def test_without_any_past_new_chats_go_on_after_that_moment(world: World) -> None:
    past = await Past.open(world)
    await past.chat.link(BOB, LOGIN)
    await past.chat.hear("just linked")
    await past.until(lambda: bool(world.chats.said))
    assert past.chat.texts == ["just linked"]
    await past.backfill.stop()


STEPS = [
    (call, is_late)
    for call in (
        "ensure_ghost",
        "set_name",
        "create_room",
        "ensure_joined",
        "send_message",
        "invite",
        "send_notice",
    )
    for is_late in (False, True)
]


@pytest.mark.parametrize(("call", "is_late"), STEPS)
@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_crash_at_any_step_loses_and_doubles_nothing(
    past: Past, call: str, *, is_late: bool, is_killed: bool
) -> None:
    past.history.add(*past.write(25))
    past.history.add(*past.write(3, chat=CLUB), name="Club")
    if is_killed:
        past.world.matrix.crash(call, is_answer_lost=is_late)
    else:
        past.world.matrix.fail(call, MatrixUnreachable(), times=2, is_answer_lost=is_late)
    past.wake()
    await past.until(lambda: call in past.world.matrix.calls)
    await past.chat.receive(past.chat.message(WaText(body="meanwhile")))
    if is_killed:
        await past.restart(is_killed=True)
    await past.bring()
    await past.chat.let_time_pass()
    texts = past.world.chats.texts(room_with(past, f"{BEN.user} 0"))
    assert texts == [*(f"{BEN.user} {number}" for number in range(25)), "meanwhile"]
    assert past.world.chats.texts(room_with(past, f"{CLUB.user} 0")) == [f"{CLUB.user} {n}" for n in range(3)]
    assert len(past.world.chats.rooms) == 2
    assert all(ALICE in past.world.matrix.rooms[room].invited for room in past.world.chats.rooms)
    assert not past.chat.unacknowledged()
    assert "2 chats with 28 messages." in past.world.matrix.sent[-1].notice.body


async def test_a_session_that_does_not_answer_is_asked_again(past: Past) -> None:
    past.history.add(*past.write(25))
    past.history.faults.extend([WhatsAppUnavailable(code="host-lost")] * 3)
    await past.bring()
    assert len(past.chat.texts) == 25


async def test_replies_edits_reactions_and_deletions_find_what_they_are_about(past: Past) -> None:
    first, second, third = past.write(3)
    quote = WaQuote(message_id=first.message_id, sender=BEN)
    reply = past.message(WaText(body="reply", context=WaContext(quote=quote)), number=3, is_own=True)
    edit = past.message(WaEdit(target=ref(second.message_id), content=WaText(body="better")), number=4)
    heart = past.message(WaReaction(target=ref(first.message_id), emoji="❤"), number=5, is_own=True)
    gone = past.message(WaRevoke(target=ref(third.message_id)), number=6)
    alone = past.message(
        WaEdit(target=ref(WaMessageId("UNKNOWN")), content=WaText(body="as it reads now")), number=7
    )
    past.history.add(first, second, third, reply, edit, heart, gone, alone)
    await past.bring()
    said = past.world.chats.said
    by_body = {one.content.body: one for one in said if isinstance(one.content, MxMessageContent)}
    assert by_body["reply"].sender == OWN_GHOST
    assert isinstance(by_body["reply"].content.relation, MxReply)
    assert isinstance(by_body["better"].content.relation, MxEdit)
    assert by_body["better"].content.relation.event_id == by_body[f"{BEN.user} 1"].event_id
    assert by_body["as it reads now"].content.relation is None
    (reaction,) = [one for one in said if isinstance(one.content, MxReactionContent)]
    assert reaction.content.event_id == by_body[f"{BEN.user} 0"].event_id
    assert past.world.chats.redacted[0].event_id == by_body[f"{BEN.user} 2"].event_id
    # What is said now about what came from then works as well.
    await past.chat.receive(past.chat.message(WaReaction(target=ref(first.message_id), emoji="👍")))
    assert said[-1].sender == BEN_GHOST


async def test_votes_of_old_polls_are_counted(past: Past) -> None:
    poll = past.message(WaPoll(question="When?", options=("Saturday", "Sunday")), number=0)
    vote = WaPollVote(target=ref(poll.message_id), options=(digest_of("Sunday"),))
    own, bens = past.message(vote, number=1, is_own=True), past.message(vote, number=2)
    past.history.add(poll, own, bens)
    await past.bring()
    said = past.world.chats.said
    answers = [one for one in said if isinstance(one.content, MxPollVote)]
    assert [one.sender for one in answers] == [OWN_GHOST, BEN_GHOST]
    assert [one.sent_at for one in answers] == [own.timestamp, bens.timestamp]
    tally = said[-1]
    assert isinstance(tally.content, MxMessageContent)
    assert "2. Sunday – 2 votes" in tally.content.body
    assert tally.sent_at == bens.timestamp
    await past.restart()
    await past.bring()
    assert past.world.chats.said[-1] == tally


async def test_a_message_the_homeserver_refuses_stops_nothing(past: Past) -> None:
    past.history.add(*past.write(3))
    past.world.matrix.fail("send_message", MatrixRefused(errcode="M_TOO_LARGE", status=413))
    await past.bring()
    assert past.chat.texts == [f"{BEN.user} 1", f"{BEN.user} 2"]


@pytest.mark.parametrize(("unread", "after"), [(3, 3), (-1, 1)])
async def test_unread_messages_come_after_their_user_was_called(past: Past, unread: int, after: int) -> None:
    past.history.add(*past.write(10), unread=unread)
    await past.bring()
    calls = [call for call in past.world.matrix.calls if call in {"send_message", "invite"}]
    assert calls == [*["send_message"] * (10 - after), "invite", *["send_message"] * after]
    assert past.chat.texts == [f"{BEN.user} {number}" for number in range(10)]


async def test_a_second_link_adds_only_what_is_new(past: Past) -> None:
    past.history.add(*past.write(5))
    await past.bring()
    await past.chat.hear("live")
    world = past.world
    world.clock.advance(600)
    await past.chat.link(ALICE, LOGIN)
    world.clock.advance(60)
    past.histories[LOGIN] = FakeHistory()
    missed = [
        past.message(WaText(body=f"missed {number}"), number=number, age=timedelta(minutes=-2))
        for number in range(3)
    ]
    past.history.add(*past.write(5), *missed)
    await past.restart()
    await past.bring()
    assert past.chat.texts[5:] == ["live", "missed 0", "missed 1", "missed 2"]
    assert past.count(WaHistoryStage.KEPT) == 5


async def test_a_gap_that_nothing_fills_is_told_of(past: Past) -> None:
    past.history.add(*past.write(2))
    await past.bring()
    past.world.clock.advance(600)
    await past.chat.link(ALICE, LOGIN)
    past.world.clock.advance(60)
    past.histories[LOGIN] = FakeHistory()
    past.history.add(past.message(WaText(body="later"), number=0, age=timedelta(minutes=-2)))
    await past.bring()
    assert "may be missing" in past.chat.texts[2]
    assert past.chat.texts[3:] == ["later"]


async def test_a_room_that_began_with_what_is_new_stays_in_order(past: Past) -> None:
    await past.bring()
    await past.chat.hear("the room begins here")
    past.history.add(*past.write(5))
    await past.bring()
    assert past.chat.texts == ["the room begins here"]
    assert past.count(WaHistoryStage.KEPT) == 5


async def test_somebody_else_in_the_group_is_called_and_nothing_comes_twice(past: Past) -> None:
    past.history.add(*past.write(3, chat=CLUB), name="Club")
    await past.bring()
    other = LoginId("15550004444")
    await past.chat.link(BOB, other)
    past.world.clock.advance(60)
    past.histories[other] = FakeHistory()
    past.histories[other].add(*past.write(3, chat=CLUB))
    await past.bring()
    assert past.chat.texts == [f"{CLUB.user} {number}" for number in range(3)]
    assert past.world.matrix.rooms[past.chat.room_id].invited >= {ALICE, BOB}


async def test_how_far_it_is_shows_in_one_notice(past: Past) -> None:
    past.history.add(*past.write(60))
    past.history.problems = ("it ends too early",)
    await past.bring()
    room_id = await past.world.users.get_management_room(ALICE)
    assert room_id is not None
    notices = [one.notice for one in past.world.matrix.sent if one.room_id == room_id]
    assert "0 of 1 chat" in notices[0].body
    assert all(notice.edits is not None for notice in notices[1:])
    assert "Brought over the chats of +15550001111: 1 chat with 50 messages." in notices[-1].body
    assert "Older messages that stay stored for 14 days: 10." in notices[-1].body
    assert "it ends too early" in notices[-1].body


async def test_cancel_leaves_no_room_half_done(past: Past) -> None:
    for number in range(20):
        chat = replace(CLUB, user=f"{CLUB.user}{number:02}")
        past.history.add(*past.write(40, chat=chat), name=f"Club {number}")
    past.wake()
    await past.until(lambda: len(past.world.chats.said) > 10)
    assert await past.backfill.cancel(ALICE)
    await past.bring()
    rooms = past.world.chats.rooms
    assert 0 < len(rooms) < 20
    assert all(ALICE in past.world.matrix.rooms[room_id].invited for room_id in rooms)
    assert past.count(WaHistoryStage.NEW) == past.count(WaHistoryStage.WANTED) == 0
    assert past.count(WaHistoryStage.KEPT) > 0
    assert not await past.backfill.cancel(ALICE)


async def test_disabled_nothing_comes_and_nothing_waits(world: World) -> None:
    past = await Past.open(world, replace(SETTINGS, is_enabled=False))
    past.history.add(*past.write(5))
    await past.chat.receive(WaHistorySync(size=1))
    await past.chat.hear("now")
    await past.bring()
    assert past.chat.texts == ["now"]
    assert BOT in world.matrix.rooms[past.chat.room_id].joined
    assert await world.talk.portals.find(PortalKey(chat=CLUB)) is None
