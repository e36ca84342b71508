"""Commands that answer what WhatsApp asks: polls, events, invitations."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mautrix_whatsapp_py.convert.polls import digest_of
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model import rich
from mautrix_whatsapp_py.model.content import MxPollStart
from tests.fakes.whatsapp import START
from tests.flow.chat import CARLA, CLUB, ref
from tests.flow.desk import Desk
from tests.flow.rich_chat import said_as, tally, votes
from tests.flow.world import World


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def test_a_vote_by_command(desk: Desk) -> None:
    room_id = await desk.direct_room()
    await desk.chat.receive(desk.chat.message(rich.WaPoll(question="?", options=("A", "B"), selectable=1)))
    (poll,) = said_as(desk.chat, MxPollStart)
    text = desk.world.chats.said[-1]
    assert await desk.ask_about("!wa vote 2", poll.event_id, room_id=room_id) == "You voted."
    assert await desk.ask_about("!wa vote none", text.event_id, room_id=room_id) == "You took your vote back."
    assert votes(desk.chat) == [(digest_of("B"),), ()]
    assert tally(desk.chat).endswith("0 people voted.")
    for wrong, why in (("1 2", "at most 1"), ("3", "from 1 to 2"), ("b", "from 1 to 2")):
        assert why in await desk.ask_about(f"!wa vote {wrong}", poll.event_id, room_id=room_id)
    assert "Send this as a reply to the poll" in await desk.ask("!wa vote 1", room_id=room_id)
    hello = desk.world.chats.said[0].event_id
    assert "no poll I know of" in await desk.ask_about("!wa vote 1", hello, room_id=room_id)


async def test_an_answer_by_command(desk: Desk) -> None:
    room_id = await desk.direct_room()
    event = desk.chat.message(rich.WaOccasion(name="Party"))
    await desk.chat.receive(event)
    shown = desk.world.chats.said[-1].event_id
    assert await desk.ask_about("!wa rsvp maybe", shown, room_id=room_id) == "You answered: maybe."
    sent = desk.chat.client.messages[-1].content
    assert sent == rich.WaOccasionAnswer(target=ref(event.message_id), answer=rich.WaAnswer.MAYBE)
    assert "`going`" in await desk.ask_about("!wa rsvp perhaps", shown, room_id=room_id)
    desk.chat.go_offline()
    assert "the link to WhatsApp is down" in await desk.ask_about("!wa rsvp no", shown, room_id=room_id)


@pytest.mark.parametrize("chat", [None, CLUB], ids=["direct", "group"])
async def test_an_invitation_is_accepted_in_every_room(desk: Desk, chat: WaJid | None) -> None:
    group = WaJid(user="120363777", server="g.us")
    desk.directory.add_group(group.user, "Band")
    invite = rich.WaGroupInvite(group=group, code="C0DE", name="Band", expires_at=START + timedelta(days=1))
    await desk.chat.receive(desk.chat.message(invite, sender=CARLA, chat=chat))
    room_id, shown = desk.chat.room_id, desk.world.chats.said[-1].event_id
    desk.join(room_id)
    joined = await desk.ask_about("!wa accept", shown, room_id=room_id)
    assert joined.startswith("You are now in Band: https://matrix.to/#/")
    assert desk.directory.accepted == [(group, "C0DE")]
    desk.world.clock.advance(3 * 86_400)
    assert "has expired" in await desk.ask_about("!wa accept", shown, room_id=room_id)
