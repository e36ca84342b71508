"""`sync` says how far it is in one notice, and changes nothing the second time."""

from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.bridge.sync_deps import PartDeps
from mautrix_whatsapp_py.bridge.sync_groups import GroupsPart
from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_directory import WaContact
from tests.flow.chat import BEN, BEN_GHOST, CLUB
from tests.flow.desk import Desk
from tests.flow.world import DM, World

CREATING = ("create_room", "ensure_ghost", "set_name", "invite", "ensure_joined")

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def sync(desk: Desk, command: str = "sync") -> str:
    """Run it to its end; the last state of its notice."""
    await desk.world.say(command)
    await desk.world.work.syncing.idle()
    return desk.world.matrix.bodies(DM)[-1]


async def test_names_and_groups_are_brought_up_to_date_once(desk: Desk) -> None:
    await desk.chat.receive(desk.chat.message(WaText(body="hi"), push_name=""))
    desk.directory.contacts.append(WaContact(jid=BEN, full_name="My Ben", push_name="Benny"))
    desk.directory.add_contact("15550007777", "Never met")
    desk.directory.add_group(CLUB.user, "Club")
    first = await sync(desk)
    assert first == (
        "Synchronised +15550001111: 3 changed.\n• contacts: 2 looked at, 2 changed\n"
        "• groups: 1 looked at, 1 changed; 1 without a room, which the next message makes\n"
        "• members: 0 looked at, 0 changed\n• avatars: 1 looked at, 0 changed\n• space: 1 looked at, 0 changed"
    )
    # Names of somebody's contact book are theirs alone.
    assert desk.world.chats.names[BEN_GHOST] == "Benny (WA)"
    desk.world.matrix.calls.clear()
    assert (await sync(desk)).startswith("Synchronised +15550001111: everything was up to date.")
    assert not [call for call in desk.world.matrix.calls if call in CREATING]


async def test_its_notice_is_edited_in_place(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Club")
    await sync(desk, "sync groups")
    first, *edits = [sent for sent in desk.world.matrix.sent if sent.txn_id.startswith("sync-")]
    assert first.notice.body == "Synchronising +15550001111 …\n• groups: …"
    assert {edit.notice.edits for edit in edits} == {first.event_id}
    assert len({sent.txn_id for sent in (first, *edits)}) == len(edits) + 1


async def test_thoroughly_it_makes_a_room_for_every_group(desk: Desk) -> None:
    for number in range(5):
        desk.directory.add_group(f"12{number}", f"Group {number}")
    await desk.ask("filter deny 123@g.us")
    assert "5 looked at, 5 changed" in await sync(desk, "sync groups --create")
    names = sorted(room.name for room in desk.world.chats.rooms.values())
    assert names == ["Group 0", "Group 1", "Group 2", "Group 4"]
    desk.world.matrix.calls.clear()
    assert "everything was up to date" in await sync(desk, "sync groups --create")
    assert not [call for call in desk.world.matrix.calls if call in CREATING]


async def test_what_fails_is_said_and_the_rest_goes_on(desk: Desk) -> None:
    desk.directory.fail(WhatsAppUnavailable(code="host-lost"))
    desk.directory.add_group(CLUB.user, "Club")
    said = await sync(desk)
    assert "• contacts: ⚠️ WhatsApp could not be asked. Send `ping`" in said
    assert "• groups: 1 looked at, 1 changed" in said


async def test_one_at_a_time_and_it_can_be_stopped(desk: Desk) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> tuple[WaContact, ...]:
        started.set()
        await go_on.wait()
        return ()

    desk.directory.fetch_contacts = wait  # type: ignore[method-assign]
    await desk.world.say("sync")
    await asyncio.wait_for(started.wait(), 10)
    assert await desk.ask("sync") == "I am at it already. Send `cancel` to stop."
    stopped = await desk.ask("cancel")
    assert stopped.startswith("Synchronising +15550001111: stopped.")
    assert await desk.ask("cancel") == "There is nothing to cancel."
    go_on.set()


async def test_wrong_words_and_links_that_are_down(desk: Desk) -> None:
    wrong = await desk.ask("sync everything")
    assert wrong.startswith(
        "I can synchronise contacts, groups, members, avatars, space, or all of it.\nUsage: `sync [login]"
    )
    desk.chat.go_offline()
    assert await desk.ask("sync") == "+15550001111 is not connected. Send `ping` to see why, then try again."


async def test_rooms_of_groups_are_brought_up_to_date(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Club")
    await desk.ask("open club")
    asked: list[WaJid] = []

    async def sync_group(_login: Login, chat: WaJid) -> bool:
        asked.append(chat)
        return len(asked) == 1

    talk, openings = desk.world.work.deps.talk, desk.world.work.deps.openings
    part = GroupsPart(PartDeps(talk=talk, openings=openings, filters=talk.filters, sync_group=sync_group))
    counts = [await part(desk.login, lambda _done, _total: None, is_thorough=False) for _ in range(2)]
    assert [count.changed for count in counts] == [1, 0]
    assert asked == [CLUB, CLUB]
