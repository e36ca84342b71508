"""`delete-me` removes a user and leaves the others theirs."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mautrix_whatsapp_py.ids import LoginId, MxRoomId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.store.channel_owners import OwnerRows
from mautrix_whatsapp_py.store.double_puppets import DoublePuppetRows
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.tables import CHANNEL_TABLES, metadata
from mautrix_whatsapp_py.store.user_end import forget_strangers
from tests.fakes.matrix import BOT
from tests.flow.chat import BEN, BEN_GHOST, CLUB, LOGIN
from tests.flow.desk import Desk
from tests.flow.world import ALICE, BOB, World
from tests.store.test_channel_owners import NOON, fill

BOBS = LoginId("15550004444")
HERS, HIS = "what-a-program-read-of-hers", "what-a-program-read-of-his"


@pytest.fixture
async def desk(world: World) -> Desk:
    """Alice talks with Ben, and shares a group with bob."""
    desk = await Desk.open(world)
    await desk.direct_room()
    await desk.chat.link(BOB, BOBS)
    message = desk.chat.message(WaText(body="hello club"), sender=BEN, chat=CLUB)
    await desk.chat.receive(message)
    await desk.chat.receive(message, login=BOBS)
    async with world.store.transaction() as tx:
        await DoublePuppetRows().put(tx, ALICE, "a-token-of-hers")
        await KvRows().put(tx, f"double-hint:{ALICE}", "1")
        await KvRows().put(tx, "channel-login:default", LOGIN)
        await OwnerRows().note(tx, "default", LOGIN, NOON)
        await OwnerRows().note(tx, "bobs", BOBS, NOON)
        await fill(tx, "default", HERS, NOON, LOGIN)
        await fill(tx, "bobs", HIS, NOON, BOBS)
    return desk


async def rooms_of(world: World) -> tuple[MxRoomId, MxRoomId]:
    """The room of alice's chat with Ben, and that of the group."""
    rooms = {portal.key.chat.is_group: portal.room_id for portal in await world.talk.portals.get_all()}
    direct, club = rooms[False], rooms[True]
    assert direct is not None
    assert club is not None
    return direct, club


async def rows_with(world: World, *words: str) -> list[str]:
    """Tables that hold one of these words anywhere."""
    found = []
    async with world.store.reading() as tx:
        for table in metadata.sorted_tables:
            rows = [str(tuple(row)) for row in await tx.execute(select(table))]
            found += [table.name for row in rows if any(word in row for word in words)]
    return found


async def test_everything_of_a_user_goes_and_nothing_of_others(desk: Desk) -> None:
    world = desk.world
    direct, club = await rooms_of(world)
    said = await desk.ask("delete-me")
    assert f"unlinks +{LOGIN}" in said
    assert "from 1 rooms" in said
    assert "out of 1 that others" in said
    assert "Everything of yours is deleted" in await desk.ask("Delete  everything")
    assert world.matrix.rooms[direct].joined == set()
    there = world.matrix.rooms[club]
    assert ALICE not in there.joined | there.invited
    assert {BOT, BEN_GHOST} <= there.joined
    assert world.logins.of_user(ALICE) == ()
    assert [login.id for login in world.logins.get_all()] == [BOBS]
    async with world.store.transaction() as tx:
        assert await forget_strangers(tx) == 1
        # Ben is in bob's group still.
        assert await forget_strangers(tx) == 0
    hers = (ALICE, LOGIN, "a-token-of-hers", HERS, direct)
    assert await rows_with(world, *hers) == []
    assert set(await rows_with(world, HIS)) == {table.name for table in CHANNEL_TABLES}
    assert await rows_with(world, BOB)
    await desk.chat.receive(desk.chat.message(WaText(body="still here"), sender=BEN, chat=CLUB), login=BOBS)
    assert world.chats.texts(club)[-1] == "still here"


async def test_anything_else_leaves_it(desk: Desk) -> None:
    await desk.ask("delete-me")
    assert await desk.ask("yes") == "Nothing was deleted."
    assert [login.id for login in desk.world.logins.of_user(ALICE)] == [LOGIN]
    await desk.ask("delete-me")
    assert "Stopped `delete-me`" in await desk.ask("cancel")
    assert "There is no command" in await desk.ask("delete everything")


async def test_a_phone_that_cannot_be_told_is_named(desk: Desk) -> None:
    desk.world.network.is_phone_reachable = False
    await desk.ask("delete-me")
    said = await desk.ask("delete everything")
    assert f"The phone of +{LOGIN} could not be told" in said
    assert desk.world.logins.of_user(ALICE) == ()


async def test_only_in_the_management_room(desk: Desk) -> None:
    _, club = await rooms_of(desk.world)
    desk.join(club)
    assert "in your management room" in await desk.ask("!wa delete-me", room_id=club)
