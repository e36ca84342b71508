"""A direct chat that a user begins with a ghost in their own client becomes the chat with its person."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.from_matrix.direct import AWAY, MANY
from mautrix_whatsapp_py.bridge.from_matrix.member import REFUSAL
from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership
from tests.fakes.matrix import FakeRoom
from tests.flow.chat import BEN, BEN_GHOST, LOGIN, Chat
from tests.flow.world import ALICE, BOB, BOT, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""

ROOM = MxRoomId("!mine:localhost")
EVE_GHOST = MxUserId("@whatsapp_15550005555:localhost")
NOBODY = MxUserId("@whatsapp_lid-99:localhost")
STRANGER = MxUserId("@stranger:elsewhere")


@pytest.fixture
async def chat(world: World) -> Chat:
    chat = await Chat.open(world)
    world.directories.require(LOGIN).add_person(BEN.user)
    return chat


async def invite(
    chat: Chat, *ghosts: MxUserId, user: MxUserId = ALICE, is_direct: bool = True, is_encrypted: bool = False
) -> FakeRoom:
    """Somebody makes a room with ghosts; what becomes of it."""
    world = chat.world
    room = world.matrix.rooms[ROOM] = FakeRoom(joined={user}, invited=set(ghosts), is_encrypted=is_encrypted)
    for ghost in ghosts:
        await world.deliver(
            MxMember(
                origin=world.origin(ROOM, user),
                user=ghost,
                membership=MxMembership.INVITE,
                is_direct=is_direct,
            )
        )
    await world.settled()
    return room


def said(chat: Chat) -> list[str]:
    return chat.world.matrix.bodies(ROOM)


@pytest.mark.parametrize("ghost", [BEN_GHOST, EVE_GHOST])
async def test_it_becomes_the_chat(chat: Chat, ghost: MxUserId) -> None:
    world = chat.world
    world.directories.require(LOGIN).add_person("15550005555")
    if ghost == BEN_GHOST:
        await world.talk.persons.resolve(BEN)
    room = await invite(chat, ghost)
    assert room.joined == {ALICE, ghost, BOT}
    assert said(chat)[0].startswith("This is your chat with ")
    assert world.chats.adopted[ROOM].members == (ghost,)
    await world.say("hello there", room_id=ROOM)
    (sent,) = chat.client.messages
    assert sent.chat.user == ghost.partition("_")[2].partition(":")[0]
    await invite(chat, ghost)
    assert len(said(chat)) == 1


async def test_what_is_written_at_once_goes_there_too(chat: Chat) -> None:
    world = chat.world
    await world.talk.persons.resolve(BEN)
    world.matrix.rooms[ROOM] = FakeRoom(joined={ALICE}, invited={BEN_GHOST})
    asked = MxMember(
        origin=world.origin(ROOM, ALICE), user=BEN_GHOST, membership=MxMembership.INVITE, is_direct=True
    )
    await world.deliver(asked, world.text("hello", room_id=ROOM), world.text("you", room_id=ROOM))
    await world.settled()
    assert len(chat.client.messages) == 2
    await chat.hear("hello yourself")
    assert chat.world.chats.said[-1].room_id == ROOM


async def test_who_has_a_room_already_is_led_there(chat: Chat) -> None:
    await chat.hear("hello")
    there = chat.room_id
    room = await invite(chat, BEN_GHOST)
    assert room.joined == {ALICE}
    assert f"is here: https://matrix.to/#/{there}?via=localhost" in said(chat)[0]
    assert ALICE in chat.world.matrix.rooms[there].invited


@pytest.mark.parametrize("trouble", ["encrypted", "closed"])
async def test_where_the_bridge_cannot_be_the_chat_is_elsewhere(chat: Chat, trouble: str) -> None:
    await chat.world.talk.persons.resolve(BEN)
    if trouble == "closed":
        chat.world.rooms.closed.add(ROOM)
    room = await invite(chat, BEN_GHOST, is_encrypted=trouble == "encrypted")
    assert room.joined == {ALICE}
    assert "Your chat with +15550002222 is here instead: https://matrix.to/#/!" in said(chat)[0]
    (made,) = chat.world.chats.rooms
    assert ALICE in chat.world.matrix.rooms[made].invited


async def test_several_are_told_how_to_make_a_group(chat: Chat) -> None:
    await chat.world.talk.persons.resolve(BEN)
    chat.world.directories.require(LOGIN).add_person("15550005555")
    room = await invite(chat, BEN_GHOST, EVE_GHOST)
    assert said(chat) == [MANY.format(prefix="!wa")]
    assert {BEN_GHOST, EVE_GHOST} <= room.joined
    chat.world.rooms.levels[ROOM] = MxLevels(users={ALICE: 100})
    await chat.world.say("!wa create-group Trio", room_id=ROOM)
    ((name, people),) = chat.world.directories.require(LOGIN).created
    assert (name, {jid.user for jid in people}) == ("Trio", {BEN.user, "15550005555"})


@pytest.mark.parametrize(
    ("ghost", "answer"),
    [(EVE_GHOST, "+15550005555 is not on WhatsApp."), (NOBODY, "I know nobody of that id.")],
)
async def test_who_is_not_there_says_so(chat: Chat, ghost: MxUserId, answer: str) -> None:
    room = await invite(chat, ghost)
    assert said(chat)[0].startswith(answer)
    assert room.joined == {ALICE}
    assert not chat.world.chats.rooms


async def test_while_whatsapp_is_away_the_user_is_told(chat: Chat) -> None:
    chat.world.directories.require(LOGIN).fail(WhatsAppUnavailable(code="not-connected"))
    await invite(chat, EVE_GHOST)
    assert said(chat) == [AWAY]


async def test_users_without_an_account_are_told_and_strangers_refused(chat: Chat) -> None:
    await chat.world.talk.persons.resolve(BEN)
    room = await invite(chat, BEN_GHOST, user=BOB)
    assert said(chat) == ["You have no WhatsApp account linked. Send `login` to link one."]
    assert room.joined == {BOB}
    room = await invite(chat, BEN_GHOST, user=STRANGER)
    assert room.invited == set()
    assert chat.world.matrix.refusals[-1] == (ROOM, REFUSAL)


async def test_other_rooms_are_left_alone(chat: Chat) -> None:
    await chat.world.talk.persons.resolve(BEN)
    room = await invite(chat, BEN_GHOST, is_direct=False)
    assert room.invited == {BEN_GHOST}
    assert said(chat) == []
