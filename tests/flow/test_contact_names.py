"""Direct chats bear the names of their owner's contact book; everybody else sees what people call themselves."""

from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.portal import PortalKey, direct_chat
from mautrix_whatsapp_py.model.wa_directory import WaContact
from mautrix_whatsapp_py.store.persons import PersonRows
from mautrix_whatsapp_py.store.portals import PortalRows
from tests.flow.chat import BEN, BEN_GHOST, LOGIN
from tests.flow.desk import Desk
from tests.flow.world import World


@pytest.fixture
async def desk(world: World) -> Desk:
    desk = await Desk.open(world)
    await desk.chat.hear("hello")
    return desk


async def apply(desk: Desk) -> int:
    return await desk.world.following.deps.contact_names.apply(desk.login)


async def read(desk: Desk) -> None:
    """Let time pass until the contact book was read."""
    async with asyncio.timeout(10):
        while desk.world.following.deps.contact_names._tasks:
            desk.world.clock.advance(2)
            await asyncio.sleep(0.001)


def name(desk: Desk) -> str:
    return desk.world.groups.shape(desk.chat.room_id).name


async def test_the_room_is_named_and_the_ghost_is_not(desk: Desk) -> None:
    desk.directory.contacts.append(WaContact(jid=BEN, full_name="Ben from\u202e work\n"))
    assert await apply(desk) == 1
    assert name(desk) == "Ben from work"
    assert desk.world.chats.names[BEN_GHOST] == "Ben (WA)"
    calls = list(desk.world.groups.calls)
    assert await apply(desk) == 0
    await desk.chat.restart()
    assert await apply(desk) == 0
    assert desk.world.groups.calls == calls


async def test_four_hundred_chats_take_as_many_questions_as_ten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens at every start must not grow with the people somebody once wrote with."""
    store, asked = desk.world.store, list[object]()
    read_from_store = store.read
    monkeypatch.setattr(store, "read", lambda job: asked.append(job) or read_from_store(job))
    counts = []
    for first, last in ((0, 10), (10, 400)):
        rows, people = PortalRows(), PersonRows()
        async with store.transaction() as tx:
            for number in range(first, last):
                ghost = MxUserId(f"@whatsapp_9{number}:localhost")
                person = await people.add(tx, pn=f"9{number}", lid=None, ghost=ghost)
                assert person is not None
                await rows.ensure(tx, PortalKey(chat=direct_chat(person.id), receiver=LOGIN))
        asked.clear()
        assert await apply(desk) == 0
        counts.append(len(asked))
    assert counts[0] == counts[1]


async def test_a_contact_that_is_gone_or_changed_is_followed(desk: Desk) -> None:
    desk.directory.contacts.append(WaContact(jid=BEN, full_name="Ben from work"))
    await apply(desk)
    desk.directory.contacts[:] = [WaContact(jid=BEN, first_name="Benny", push_name="Ben")]
    await desk.world.say("sync contacts")
    await desk.world.work.syncing.idle()
    assert name(desk) == "Benny"
    desk.directory.contacts.clear()
    assert await apply(desk) == 1
    assert name(desk) == ""


async def test_a_new_room_and_a_link_that_comes_up_are_moments_to_look(desk: Desk) -> None:
    names, clock = desk.world.following.deps.contact_names, desk.world.clock
    desk.directory.contacts.append(WaContact(jid=BEN, full_name="Ben from work"))
    await read(desk)
    assert name(desk) == "Ben from work"
    desk.directory.contacts.clear()
    desk.chat.go_offline()
    await desk.chat.go_online()
    assert not names._tasks
    clock.advance(3700)
    desk.chat.go_offline()
    await desk.chat.go_online()
    await read(desk)
    assert name(desk) == ""
    assert LOGIN in desk.world.network.clients
