"""Commands about groups, channels and links."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.model.wa_directory import WaLinkTarget, WaTargetKind
from tests.fakes.matrix import BOT
from tests.flow.chat import BEN, CARLA, CLUB
from tests.flow.desk import Desk
from tests.flow.world import ALICE, BOB, GROUP, World

URL = "https://chat.whatsapp.com/AbCdEfGhIjKl"

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def test_a_group_is_made_with_a_room(desk: Desk) -> None:
    desk.directory.add_person(BEN.user)
    desk.directory.add_person(CARLA.user)
    answer = await desk.ask("create-group Garden club +15550002222 +1-555-000-3333 +15550002222")
    assert answer.startswith("Made the group Garden club: https://matrix.to/#/!whatsapp_chat-")
    assert answer.endswith("Send `invite-link` there to let others join.")
    assert desk.directory.created == [("Garden club", (BEN, CARLA))]
    assert desk.world.chats.rooms[desk.chat.room_id].name == "Garden club"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("create-group", "A group needs a name of 1 to 100 characters.\nUsage: `create-group"),
        (f"create-group {'x' * 101}", "A group needs a name of 1 to 100 characters."),
        ("create-group Club +15550009999 +15550009998", "+15550009999, +15550009998 are not on WhatsApp."),
        ("create-group Club +ben", "A phone number has only digits."),
        ("invite-link", "This room is not a WhatsApp chat. Send this in the room of the chat you mean"),
        ("leave", "This room is not a WhatsApp chat."),
        ("resolve-link https://example.com", "That is no link of WhatsApp. Links begin like"),
        ("join https://example.com", "You did not join: That is no link of WhatsApp."),
        ("join", "Something is missing.\nUsage: `join [login] <link>`"),
    ],
)
async def test_what_cannot_be_done_is_explained(desk: Desk, command: str, answer: str) -> None:
    assert answer in await desk.ask(command)
    assert not desk.directory.created
    assert not desk.world.chats.rooms


async def test_a_repeated_command_makes_no_second_group(desk: Desk) -> None:
    desk.world.matrix.crash("send_notice", is_answer_lost=False)
    await desk.world.deliver(desk.world.text("create-group Club"))
    await desk.world.settled()
    await desk.chat.restart()
    assert [name for name, _ in desk.directory.created] == ["Club"]
    assert desk.world.matrix.bodies(desk.world.matrix.sent[-1].room_id)[-1].startswith("Made the group Club")


async def test_a_room_becomes_a_group(desk: Desk) -> None:
    room_id = await desk.direct_room()
    ghost = "@whatsapp_15550002222:localhost"
    desk.world.matrix.add_room(GROUP, ALICE, BOB, ghost)  # type: ignore[arg-type]
    await desk.world.deliver(desk.world.invite(room_id=GROUP))
    await desk.world.settled()
    assert "You may not change this room." in await desk.ask("!wa create-group", room_id=GROUP)
    desk.world.rooms.levels[GROUP] = MxLevels(creators=frozenset({ALICE}))
    desk.world.rooms.names[GROUP] = "Our garden"
    answer = await desk.ask("!wa create-group", room_id=GROUP)
    assert answer == "This room is now the WhatsApp group Our garden. What is written here goes there."
    assert desk.directory.created == [("Our garden", (BEN,))]
    await desk.world.deliver(desk.world.text("hi garden", room_id=GROUP))
    await desk.world.settled()
    assert [sent.chat.server for sent in desk.chat.client.messages] == ["g.us"]
    assert room_id in desk.world.chats.rooms


async def test_invite_links_are_shown_and_reset(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Club")
    await desk.ask("open club")
    room_id = desk.chat.room_id
    desk.join(room_id)
    assert await desk.ask("!wa invite-link", room_id=room_id) == (
        "Whoever has this link can join the group: https://chat.whatsapp.com/OldCode12036300"
    )
    reset = await desk.ask("!wa invite-link --reset", room_id=room_id)
    assert reset == "The old link is void. The new one: https://chat.whatsapp.com/NewCode12036300"
    desk.directory.fail(WhatsAppRefused(code="forbidden"))
    assert await desk.ask("!wa invite-link", room_id=room_id) == (
        "I cannot get the link of this group: WhatsApp does not allow you to: only admins of the group may."
    )
    desk.join(room_id, BOB)
    answer = await desk.ask("!wa invite-link", room_id=room_id, sender=BOB)
    assert answer == "None of your WhatsApp accounts is in this chat."
    assert "This switch does not exist here." in await desk.ask("!wa invite-link --loud", room_id=room_id)


async def test_links_are_followed_without_joining(desk: Desk) -> None:
    jid = WaJid(user="42", server="g.us")
    desk.directory.links[URL] = WaLinkTarget(
        kind=WaTargetKind.GROUP, jid=jid, name="Club", topic="All of it", member_count=9
    )
    assert await desk.ask(f"resolve-link {URL}") == (
        "The group Club (`42@g.us`, 9 members).\nAll of it\nSend `join` with the link to join it."
    )
    desk.directory.links["c"] = WaLinkTarget(kind=WaTargetKind.NEWSLETTER, jid=jid, name="News", member_count=3)
    assert "The channel News (`42@g.us`, 3 followers)." in await desk.ask("resolve-link c")
    desk.directory.links["b"] = WaLinkTarget(kind=WaTargetKind.BUSINESS, jid=BEN, name="Shop", message="Hi there")
    assert await desk.ask("resolve-link b") == (
        "The business Shop.\nIt suggests to write: Hi there\n"
        "Send `open 15550002222@s.whatsapp.net` to open a chat."
    )
    assert not desk.world.chats.rooms


async def test_joining_opens_a_room_or_waits_for_an_admin(desk: Desk) -> None:
    desk.directory.links[URL] = WaLinkTarget(
        kind=WaTargetKind.GROUP, jid=WaJid(user="42", server="g.us"), name="Club"
    )
    desk.directory.is_approval_needed = True
    assert await desk.ask(f"join {URL}") == (
        "You have asked to join Club. Its room comes once an admin lets you in."
    )
    assert not desk.world.chats.rooms
    desk.directory.is_approval_needed = False
    assert (await desk.ask(f"join {URL}")).startswith("You are now in Club: https://matrix.to/#/")
    desk.directory.fail(WhatsAppRefused(code="revoked"))
    assert await desk.ask(f"join {URL}") == (
        "You did not join: That link was revoked. Ask whoever gave it to you for a new one."
    )


async def test_an_invitation_is_accepted_by_replying_to_it(desk: Desk) -> None:
    room_id = await desk.direct_room()
    await desk.chat.hear(f"Join us: {URL} !")
    desk.directory.links[URL] = WaLinkTarget(
        kind=WaTargetKind.GROUP, jid=WaJid(user="42", server="g.us"), name="Club"
    )
    first, invitation = desk.world.chats.said
    assert "Send this as a reply" in await desk.ask("!wa accept", room_id=room_id)
    nothing = await desk.ask_about("!wa accept", first.event_id, room_id=room_id)
    assert nothing.startswith("There is no invitation in that message.")
    joined = await desk.ask_about("!wa accept", invitation.event_id, room_id=room_id)
    assert joined.startswith("You are now in Club: https://matrix.to/#/")


async def test_groups_and_channels_can_be_left_but_not_people(desk: Desk) -> None:
    direct = await desk.direct_room()
    assert "One cannot leave a chat with one person." in await desk.ask("!wa leave", room_id=direct)
    desk.directory.add_group(CLUB.user, "Club")
    news = desk.directory.add_newsletter("55", "News")
    for chat in ("club", str(news)):
        await desk.ask(f"open {chat}")
    rooms = [room_id for room_id in desk.world.chats.rooms if room_id != direct]
    for room_id in rooms:
        desk.join(room_id)
        assert "on WhatsApp. This room stays with what was written" in await desk.ask("!wa leave", room_id=room_id)
        assert BOT in desk.world.matrix.rooms[room_id].joined
    assert desk.directory.left == [CLUB, news]
