"""Commands that list, find and open chats."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId, MxRoomId
from mautrix_whatsapp_py.model.wa_directory import WaContact
from tests.flow.chat import BEN, BEN_GHOST, CLUB, LOGIN
from tests.flow.desk import Desk
from tests.flow.world import ALICE, BOB, DM, GROUP, NOLOGIN, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def test_contacts_come_in_pages_and_by_name(desk: Desk) -> None:
    for number in range(45):
        desk.directory.add_contact(f"1415555{number:04}", f"Person {number:02}")
    desk.directory.add_contact(LOGIN, "Myself")
    desk.directory.contacts.append(WaContact(jid=BEN, push_name="Ben"))
    first = await desk.ask("list-contacts")
    assert first.splitlines()[:2] == ["Name | Number | Room", "Ben | +15550002222 | -"]
    assert first.endswith("Contacts 1 to 20 of 46. Send `list-contacts 2` for more.")
    assert (await desk.ask("list-contacts 3")).endswith("Contacts 41 to 46 of 46.")
    assert await desk.ask("list-contacts 4") == "There are 3 pages of contacts."
    assert (await desk.ask("list-contacts person 0")).startswith(
        "Pages are counted from 1.\nUsage: `list-contacts"
    )
    found = await desk.ask("list-contacts person 0 2")
    assert "There is one page of contacts." in found
    assert "Person 07 | +14155550007 | -" in await desk.ask("contacts 5550007")
    assert await desk.ask("list-contacts nobody") == "There are no contacts that match `nobody`."
    assert (await desk.ask("list contacts")).endswith("Send `list contacts 2` for more.")


async def test_groups_are_listed_with_their_ids_and_rooms(desk: Desk) -> None:
    assert await desk.ask("list-groups") == "There are no groups."
    desk.directory.add_group(CLUB.user, "Club", members=7)
    desk.directory.add_group("1203", "", is_community=True)
    assert (await desk.ask("groups")).splitlines()[1:3] == [
        "(no name) | `1203@g.us` | community | -",
        "Club | `12036300@g.us` | 7 | -",
    ]
    await desk.ask("open club")
    assert f"https://matrix.to/#/{desk.chat.room_id}?via=localhost" in await desk.ask("list groups")
    assert "I can list contacts or groups." in await desk.ask("list friends")


async def test_search_finds_people_and_groups(desk: Desk) -> None:
    desk.directory.add_contact(BEN.user, "Ben Club-Master")
    desk.directory.add_group(CLUB.user, "The club")
    found = await desk.ask("search club")
    assert "Ben Club-Master | +15550002222 | -" in found
    assert "The club | `12036300@g.us` | -" in found
    assert "What shall I look for?" in await desk.ask("search 2")
    assert "Something is missing.\nUsage: `search [login] <words> [page]`" in await desk.ask("search")


async def test_contacts_are_not_shown_where_others_read_along(desk: Desk) -> None:
    desk.directory.add_contact(BEN.user, "Ben")
    desk.world.matrix.add_room(GROUP, ALICE, BOB)
    await desk.world.deliver(desk.world.invite(room_id=GROUP))
    assert "Others read along here" in await desk.ask("!wa list-contacts", room_id=GROUP)
    assert "Others read along here" in await desk.ask(f"!wa doin {DM} list-contacts", room_id=GROUP)
    room_id = await desk.direct_room()
    assert "Ben | +15550002222" in await desk.ask("!wa list-contacts", room_id=room_id)


async def test_pm_opens_a_chat_once(desk: Desk) -> None:
    desk.directory.add_person(BEN.user, lid="1000002", business="Ben's shop")
    link = "https://matrix.to/#/!whatsapp_chat-"
    opened = await desk.ask("pm +1 (555) 000-2222")
    assert opened.startswith(f"Opened the chat with Ben's shop (+15550002222): {link}")
    room = desk.world.matrix.rooms[desk.chat.room_id]
    assert ALICE in room.invited
    assert BEN_GHOST in room.joined
    desk.join(desk.chat.room_id)
    await desk.world.matrix.leave_room(desk.chat.room_id, user=ALICE)
    again = await desk.ask("start-chat 15550002222")
    assert again.startswith(f"Your chat with Ben's shop (+15550002222) is here: {link}")
    assert ALICE in room.invited
    await desk.chat.hear("hello")
    assert desk.chat.texts == ["hello"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("pm +15550009999", "+15550009999 is not on WhatsApp. Check the number and its country code."),
        ("pm ben", "A phone number has only digits."),
        ("pm", "Something is missing.\nUsage: `pm [login] <phone number>`\nExample: `pm +14155550002`"),
        ("check +15550009999", "is not on WhatsApp"),
        ("check +15550002222", "+15550002222 is on WhatsApp. Send `pm +15550002222` to open a chat with them."),
        ("open nothing", "You are in no group called `nothing`. Send `list-groups` to see yours."),
        ("open 1@broadcast", "I can open chats with people, groups and channels."),
        ("open 1@@", "That is not the id of a chat."),
        ("open 99@lid", "I know nobody of that id."),
        ("open 99@g.us", "You are in no group called `99@g.us`."),
        ("id", "This room is not a WhatsApp chat."),
    ],
)
async def test_what_leads_nowhere_is_said(desk: Desk, command: str, answer: str) -> None:
    desk.directory.add_person(BEN.user)
    assert answer in await desk.ask(command)
    assert not desk.world.chats.rooms


async def test_groups_open_by_name_id_and_when_several_match_by_choice(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Garden club")
    desk.directory.add_group("77", "Garden party")
    several = await desk.ask("open garden")
    assert several == (
        "2 groups match. Name one by its id:\n`open 12036300@g.us`: Garden club\n`open 77@g.us`: Garden party"
    )
    assert (await desk.ask("open garden party")).startswith("Opened the chat with Garden party")
    assert (await desk.ask(f"create-portal {CLUB}")).startswith("Opened the chat with Garden club")
    assert [room.name for room in desk.world.chats.rooms.values()] == ["Garden party", "Garden club"]
    assert (await desk.ask("open +15550002222")).startswith("+15550002222 is not on WhatsApp")
    desk.directory.add_person(BEN.user)
    assert (await desk.ask(f"open {BEN}")).startswith("Opened the chat with +15550002222")
    desk.directory.add_newsletter("55", "News")
    assert (await desk.ask("open 55@newsletter")).startswith("Opened the chat with News")


async def test_id_tells_what_whatsapp_calls_a_chat(desk: Desk) -> None:
    room_id = await desk.direct_room()
    assert await desk.ask("!wa id", room_id=room_id) == (
        "This is the chat of +15550001111 with `15550002222@s.whatsapp.net`."
    )


async def test_one_of_several_accounts_is_named_by_its_number(desk: Desk) -> None:
    other = LoginId("15550008888")
    await desk.chat.link(ALICE, other)
    assert "You have several logins" in await desk.ask("list-groups")
    desk.world.directories.require(other).add_group("88", "Other's group")
    assert "Other's group" in await desk.ask(f"list-groups {other}")
    await desk.ask(f"prefer {LOGIN}")
    assert await desk.ask("list-groups") == "There are no groups."


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (WhatsAppUnavailable(code="host-lost"), "the link to WhatsApp is down. Send `ping`"),
        (WhatsAppUncertain(code="timeout"), "WhatsApp did not answer in time, so it may have happened."),
        (WhatsAppRefused(code="too-often"), "this was done too often. Try again in an hour."),
        (WhatsAppRefused(code="whatever"), "WhatsApp refused it."),
    ],
)
async def test_what_whatsapp_does_not_do_is_explained(desk: Desk, error: Exception, answer: str) -> None:
    for command in ("list-contacts", "list-groups", "pm +15550002222", "search x", "check +15550002222", "open x"):
        desk.directory.fail(error)  # type: ignore[arg-type]
        assert answer in await desk.ask(command)


async def test_who_may_link_nothing_may_not_use_them(desk: Desk) -> None:
    desk.world.matrix.add_room(MxRoomId("!no:localhost"), NOLOGIN)
    room_id = MxRoomId("!no:localhost")
    await desk.world.open_dm(room_id=room_id, user=NOLOGIN)
    for command in ("list-contacts", "pm +15550002222", "sync", "filter", "join x", "privacy", "mute"):
        answer = await desk.ask(command, room_id=room_id, sender=NOLOGIN)
        assert answer.endswith("it needs the level user. Ask the person who runs the bridge.")
    assert "pm [login]" not in await desk.ask("help", room_id=room_id, sender=NOLOGIN)
