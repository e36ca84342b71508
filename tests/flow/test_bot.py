"""What people who talk to the bot see."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.from_matrix.member import HELLO, REFUSAL
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership, MxOther
from tests.fakes.matrix import BOT
from tests.flow.world import ALICE, BLOCKED, BOB, DM, GROUP, RELAYED, World


async def test_a_direct_chat_becomes_the_management_room(world: World) -> None:
    await world.open_dm()
    assert world.matrix.bodies(DM) == [HELLO]
    assert len(HELLO.splitlines()) == 3
    assert await world.users.get_management_room(ALICE) == DM
    assert not await world.pending()


async def test_in_a_room_of_several_the_bot_tells_its_prefix(world: World) -> None:
    world.matrix.add_room(GROUP, ALICE, BOB)
    await world.deliver(world.invite(room_id=GROUP))
    await world.settled()
    (body,) = world.matrix.bodies(GROUP)
    assert "`!wa help`" in body
    assert await world.users.get_management_room(ALICE) is None


@pytest.mark.parametrize("user", [BLOCKED, RELAYED])
async def test_who_may_not_use_the_bridge_is_refused_with_a_reason(world: World, user: MxUserId) -> None:
    world.matrix.add_room(DM, user)
    await world.deliver(world.invite(sender=user))
    await world.settled()
    assert world.matrix.refusals == [(DM, REFUSAL)]
    assert "join_room" not in world.matrix.calls
    assert not await world.pending()


async def test_in_the_management_room_commands_need_no_prefix(world: World) -> None:
    await world.open_dm()
    await world.deliver(world.text("version"), world.text("!wa version"))
    await world.settled()
    answers = world.matrix.bodies(DM)[1:]
    assert len(answers) == 2
    assert all(answer.startswith("mautrix-whatsapp-py ") for answer in answers)


async def test_elsewhere_commands_need_the_prefix_and_are_answered_as_replies(world: World) -> None:
    world.matrix.add_room(GROUP, ALICE, BOB)
    question = world.text("!wa version", room_id=GROUP, sender=BOB)
    await world.deliver(world.invite(room_id=GROUP), world.text("version", room_id=GROUP), question)
    await world.settled()
    _, answer = world.matrix.sent
    assert answer.notice.body.startswith("mautrix-whatsapp-py ")
    assert answer.notice.reply_to == question.origin.event_id


async def test_help_and_typos(world: World) -> None:
    await world.open_dm()
    await world.deliver(world.text("help"), world.text("hlep"), world.text("cancel"))
    await world.settled()
    _, helped, guessed, cancelled = world.matrix.bodies(DM)
    assert helped.startswith("General:\n")
    for command in ("help", "version", "status", "cancel", "set-management-room"):
        assert f"• `{command}" in helped
    assert guessed == "There is no command `hlep`. Did you mean `help`? Send `help` for what there is."
    assert cancelled == "There is nothing to cancel."


async def test_another_room_can_become_the_management_room(world: World) -> None:
    await world.open_dm()
    world.matrix.add_room(GROUP, ALICE, BOB)
    await world.deliver(world.invite(room_id=GROUP), world.text("!wa set-management-room", room_id=GROUP))
    await world.settled()
    await world.deliver(world.text("version", room_id=GROUP), world.text("version", room_id=DM))
    await world.settled()
    assert world.matrix.bodies(GROUP)[-1].startswith("mautrix-whatsapp-py ")
    assert world.matrix.bodies(DM) == [HELLO]


@pytest.mark.parametrize("sender", [BOT, MxUserId("@whatsapp_49:localhost"), BLOCKED])
async def test_the_bridge_listens_neither_to_itself_nor_to_the_blocked(world: World, sender: MxUserId) -> None:
    await world.open_dm()
    await world.deliver(world.text("!wa version", sender=sender))
    await world.settled()
    assert world.matrix.bodies(DM) == [HELLO]
    assert not await world.pending()


@pytest.mark.parametrize("msgtype", ["m.notice", "m.emote", "m.image"])
async def test_only_text_holds_commands(world: World, msgtype: str) -> None:
    await world.open_dm()
    await world.deliver(world.text("version", msgtype=msgtype))
    await world.settled()
    assert world.matrix.bodies(DM) == [HELLO]


async def test_who_is_only_relayed_is_told_that_commands_are_not_for_them(world: World) -> None:
    world.matrix.add_room(GROUP, ALICE, RELAYED)
    await world.deliver(world.invite(room_id=GROUP), world.text("!wa help", room_id=GROUP, sender=RELAYED))
    await world.settled()
    assert world.matrix.bodies(GROUP)[-1].startswith("You may not use commands")


async def test_unreadable_messages_are_answered_once(world: World) -> None:
    await world.open_dm()
    await world.deliver(world.encrypted(), world.encrypted(), world.encrypted(sender=BOB))
    await world.settled()
    hello, told = world.matrix.bodies(DM)
    assert hello == HELLO
    assert told.startswith("I cannot read encrypted messages.")


async def test_events_without_use_are_forgotten(world: World) -> None:
    origin = world.origin(DM, ALICE)
    joined = MxMember(origin=world.origin(DM, ALICE), user=ALICE, membership=MxMembership.JOIN)
    await world.deliver(MxOther(origin=origin, kind="m.room.topic"), joined, world.invite(user=BOB))
    await world.settled()
    assert world.matrix.calls == []
    assert not await world.pending()


async def test_an_answer_the_homeserver_refuses_is_given_up(world: World) -> None:
    await world.open_dm()
    world.matrix.fail("send_notice", MatrixRefused(errcode="M_TOO_LARGE", status=413))
    await world.deliver(world.text("version"), world.text("cancel"))
    await world.settled()
    assert world.matrix.bodies(DM) == [HELLO, "There is nothing to cancel."]
    assert not await world.pending()
