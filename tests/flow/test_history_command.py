"""`backfill`, and what `status` says of history."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from mautrix_whatsapp_py.bridge.backfill.asking import Asking
from mautrix_whatsapp_py.bridge.door import CommandRequest
from mautrix_whatsapp_py.commands.admin import AdminDeps, admin_commands
from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.dispatch import Dispatcher
from mautrix_whatsapp_py.commands.history import history_commands, history_part
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId
from mautrix_whatsapp_py.model.content import (
    MxMessageContent,
    MxReactionContent,
    WaContext,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaText,
)
from mautrix_whatsapp_py.model.wa_history import WaHistoryStage
from tests.flow.chat import BEN, CARLA, CLUB, LOGIN, ref
from tests.flow.past import SETTINGS, Past
from tests.flow.world import ALICE, BOT, DM, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""
_numbers = itertools.count()


@pytest.fixture
async def past(world: World) -> AsyncIterator[Past]:
    past = await Past.open(world)
    yield past
    await past.backfill.stop()


async def ask(past: Past, text: str, *, room_id: MxRoomId = DM) -> str:
    """Alice sends a command; what she is answered."""
    deps = past.world.work.deps
    part = history_part(deps, past.backfill)
    admin = AdminDeps(
        users=past.world.users, dialogs=Dialogs(), status_parts=(part,), cancels=(past.backfill.cancel,)
    )
    commands = (*history_commands(deps, Asking(past.backfill)), *admin_commands(admin))
    dispatcher = Dispatcher(commands, prefix="!wa", dialogs=Dialogs())
    request = CommandRequest(
        event_id=MxEventId(f"$ask{next(_numbers)}"),
        room_id=room_id,
        sender=ALICE,
        level=PermissionLevel.USER,
        text=text,
        is_management=room_id == DM,
    )
    return "\n".join(notice.body for notice in await dispatcher.run(request))


async def test_older_messages_come_last_when_they_are_wanted_all_the_same(past: Past) -> None:
    past.history.add(*past.write(80))
    await past.bring()
    room_id = past.chat.room_id
    said = await ask(past, "backfill 10", room_id=room_id)
    assert "30 older messages of Ben are stored" in said
    assert "backfill 10 --last" in said
    assert "Bringing 10 older messages" in await ask(past, "backfill 10 --last", room_id=room_id)
    await past.bring()
    assert past.chat.texts[50:] == [f"{BEN.user} {number}" for number in range(20, 30)]
    await ask(past, "backfill all --last", room_id=room_id)
    await past.bring()
    assert past.chat.texts[60:] == [f"{BEN.user} {number}" for number in range(20)]
    assert "Nothing older" in await ask(past, "backfill", room_id=room_id)


async def test_a_room_may_be_named_from_elsewhere(past: Past) -> None:
    past.history.add(*past.write(80))
    await past.bring()
    room_id = past.chat.room_id
    room = past.world.matrix.rooms[room_id]
    room.invited.discard(ALICE)
    assert "You are not in that room" in await ask(past, f"backfill {room_id}")
    room.joined.add(ALICE)
    said = await ask(past, f"backfill 10 {room_id}")
    assert f"backfill 10 {room_id} --last" in said
    assert f"backfill 10 {room_id} --recreate" in said
    assert "Bringing 10 older messages" in await ask(past, f"backfill 10 {room_id} --last")
    await past.bring()
    assert past.chat.texts[50:] == [f"{BEN.user} {number}" for number in range(20, 30)]
    management = await past.world.users.get_management_room(ALICE)
    assert "not the room of a WhatsApp chat" in await ask(past, f"backfill {LOGIN} all {management}")
    assert "I am not in" in await ask(past, "backfill !nowhere:localhost")


async def test_what_is_in_the_room_already_is_not_offered(past: Past) -> None:
    await past.bring()
    await past.chat.hear("the room begins here")
    past.history.add(*past.write(3))
    await past.bring()
    await ask(past, "backfill --last", room_id=past.chat.room_id)
    await past.bring()
    for stored in past.history.stored.values():
        stored.stage = WaHistoryStage.KEPT
    assert "Nothing older" in await ask(past, "backfill", room_id=past.chat.room_id)


async def test_chats_that_were_left_out_get_rooms(past: Past) -> None:
    past.history.add(*past.write(3))
    past.history.add(*past.write(60, chat=CARLA, age=timedelta(days=90)))
    await past.bring()
    assert len(past.world.chats.rooms) == 1
    assert "Making rooms for 1 more chat of" in await ask(past, "backfill 5")
    await past.bring()
    assert len(past.world.chats.rooms) == 2
    assert past.world.chats.said[-1].content.body == f"{CARLA.user} 59"  # type: ignore[union-attr]
    assert "has its room" in await ask(past, "backfill")


async def seen(past: Past, room_id: MxRoomId) -> list[str]:
    """What a room says, edits left out."""
    return past.world.chats.texts(room_id)


async def recreate(past: Past, room_id: MxRoomId) -> MxRoomId:
    """Alice wants a new room; which one it is."""
    assert "Making a new room with 30 older" in await ask(past, "backfill all --recreate", room_id=room_id)
    await past.chat.receive(past.chat.message(WaText(body="meanwhile")))
    await past.bring()
    (made,) = set(past.world.chats.rooms) - {room_id}
    return made


async def test_a_new_room_has_everything_in_order(past: Past) -> None:
    first, *rest = past.write(80)
    past.history.add(first, *rest)
    await past.bring()
    old = past.chat.room_id
    newest = past.write(80)[79]
    await past.chat.hear("live")
    quote = WaQuote(message_id=newest.message_id, sender=BEN)
    await past.chat.receive(past.chat.message(WaText(body="reply", context=WaContext(quote=quote))))
    heart = WaReaction(target=ref(newest.message_id), emoji="❤")
    await past.chat.receive(past.chat.message(heart))
    assert "--recreate" in await ask(past, "backfill", room_id=old)
    made = await recreate(past, old)
    said = [f"{BEN.user} {number}" for number in range(80)]
    assert await seen(past, made) == [*said, "live", "reply", "meanwhile"]
    world = past.world
    assert world.chats.rooms[made].replaces == old
    assert world.groups.replaced == {old: made}
    assert world.groups.shape(old).events_default == 100
    assert ALICE in world.matrix.rooms[made].invited
    assert BOT not in world.matrix.rooms[old].joined
    copy = next(
        one
        for one in world.chats.said
        if one.room_id == made
        and isinstance(one.content, MxMessageContent)
        and one.content.body == f"{BEN.user} 79"
    )
    assert copy.sent_at == newest.timestamp
    (heart_again,) = [
        one.content
        for one in world.chats.said
        if one.room_id == made and isinstance(one.content, MxReactionContent)
    ]
    assert heart_again.event_id == copy.event_id
    # What comes next is about the copies.
    await past.chat.receive(past.chat.message(WaRevoke(target=ref(newest.message_id))))
    assert world.chats.redacted[-1].event_id == copy.event_id


@pytest.mark.parametrize("call", ["create_room", "send_message", "invite"])
@pytest.mark.parametrize("is_late", [False, True])
async def test_a_new_room_is_whole_over_crashes(past: Past, call: str, *, is_late: bool) -> None:
    past.history.add(*past.write(80))
    await past.bring()
    old = past.chat.room_id
    assert "Making a new room" in await ask(past, "backfill all --recreate", room_id=old)
    matrix = past.world.matrix
    before = len(matrix.calls)
    matrix.crash(call, is_answer_lost=is_late)
    past.wake()
    await past.until(lambda: call in matrix.calls[before:])
    await past.chat.receive(past.chat.message(WaText(body="meanwhile")))
    await past.restart(is_killed=True)
    await past.bring()
    await past.chat.let_time_pass()
    (made,) = set(past.world.chats.rooms) - {old}
    assert await seen(past, made) == [*(f"{BEN.user} {number}" for number in range(80)), "meanwhile"]
    assert ALICE in past.world.matrix.rooms[made].invited


@pytest.mark.parametrize("word", ["0", "-3", "many", "9999999"])
async def test_counts_that_are_none(past: Past, word: str) -> None:
    assert "how many messages" in await ask(past, f"backfill {word}")


async def test_switched_off(world: World) -> None:
    past = await Past.open(world, replace(SETTINGS, is_enabled=False))
    assert "switched off" in await ask(past, "backfill")


async def test_status_tells_how_far_it_is(past: Past) -> None:
    assert "nothing came from the phone yet" in await ask(past, "status")
    past.history.add(*past.write(3))
    await past.bring()
    assert "1 chat with 3 messages brought over" in await ask(past, "status")


async def test_cancel_stops_it_and_says_what_came(past: Past) -> None:
    for number in range(20):
        chat = replace(CLUB, user=f"{CLUB.user}{number:02}")
        past.history.add(*past.write(10, chat=chat), name=f"Club {number}")
    assert await ask(past, "cancel") == "There is nothing to cancel."
    past.wake()
    await past.until(lambda: len(past.world.chats.said) > 10)
    assert await ask(past, "cancel") == ""
    assert "Stopped bringing over the chats of" in past.world.matrix.sent[-1].notice.body
    assert "brought over" in await ask(past, "status")
    assert len(past.world.chats.rooms) < 20
    assert await ask(past, "cancel") == "There is nothing to cancel."
