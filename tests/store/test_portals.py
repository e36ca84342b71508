"""What is known of chats agrees with the database, also while some of them go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, PortalKey, decode_jid
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.store.store import Store

KEY = PortalKey(chat=decode_jid("15550002222@s.whatsapp.net"), receiver=LoginId("15550001111"))
OTHER = replace(KEY, chat=decode_jid("15550003333@s.whatsapp.net"))
ROOM, OTHER_ROOM = MxRoomId("!garden"), MxRoomId("!shed")

Touch = Callable[[Portals, Portal], Awaitable[object]]
TOUCHES: list[Touch] = [
    lambda portals, portal: portals.put(replace(portal, name="Ben")),
    lambda portals, portal: portals.get(portal.id),
    lambda portals, portal: portals.find(portal.key),
]


async def make(store: Store, key: PortalKey = KEY, room: MxRoomId = ROOM) -> tuple[Portals, Portal]:
    portals = Portals(store)
    return portals, await portals.set_room(await portals.ensure(key), room)


@pytest.mark.parametrize("touch", TOUCHES)
async def test_a_chat_that_went_does_not_come_back(store: Store, touch: Touch) -> None:
    portals, portal = await make(store)
    await portals.remove(portal)
    await touch(portals, portal)
    assert portals.get_known(KEY) is None
    assert portals.get_id(ROOM) is None
    anew = await portals.ensure(KEY)
    assert anew.room_id is None


@pytest.mark.parametrize("touch", TOUCHES)
async def test_a_chat_that_goes_meanwhile_does_not_come_back(store: Store, touch: Touch) -> None:
    for _ in range(10):
        portals, portal = await make(store)
        portals.forget()
        await asyncio.gather(touch(portals, portal), portals.remove(portal), touch(portals, portal))
        assert portals.get_known(KEY) is None
        assert portals.get_id(ROOM) is None


async def test_a_change_is_known_though_another_chat_goes_meanwhile(store: Store) -> None:
    portals, portal = await make(store)
    for _ in range(10):
        other = await portals.set_room(await portals.ensure(OTHER), OTHER_ROOM)
        name = f"Ben {other.id}"
        await asyncio.gather(portals.put(replace(portal, name=name)), portals.remove(other))
        known = await portals.get(portal.id)
        assert known is not None
        assert known.name == name
        assert portals.get_id(ROOM) == portal.id
        assert portals.get_id(OTHER_ROOM) is None
