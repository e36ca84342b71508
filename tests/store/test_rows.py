"""The small repositories."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.users import UserRows

ANN, BOB = MxUserId("@ann:example.org"), MxUserId("@bob:example.org")
ROOM, OTHER = MxRoomId("!room"), MxRoomId("!other")


async def test_a_user_has_one_management_room_and_may_change_it(store: Store) -> None:
    users = UserRows()
    async with store.transaction() as tx:
        await users.ensure(tx, ANN)
        await users.ensure(tx, ANN)
        assert await users.get_management_room(tx, ANN) is None
        await users.set_management_room(tx, ANN, ROOM)
        await users.set_management_room(tx, ANN, OTHER)
        await users.ensure(tx, ANN)
    async with store.reading() as tx:
        assert await users.get_management_room(tx, ANN) == OTHER
        assert await users.get_user_of_management_room(tx, OTHER) == ANN
        assert await users.get_user_of_management_room(tx, ROOM) is None
        assert await users.get_management_room(tx, BOB) is None


async def test_a_room_is_the_management_room_of_the_last_who_asked(store: Store) -> None:
    users = UserRows()
    async with store.transaction() as tx:
        await users.set_management_room(tx, ANN, ROOM)
        await users.set_management_room(tx, BOB, ROOM)
        assert await users.get_management_room(tx, ANN) is None
        assert await users.get_user_of_management_room(tx, ROOM) == BOB


async def test_several_users_may_have_none(store: Store) -> None:
    users = UserRows()
    async with store.transaction() as tx:
        await users.set_management_room(tx, ANN, None)
        await users.set_management_room(tx, BOB, None)
        assert await users.get_management_room(tx, BOB) is None


async def test_facts_are_put_replaced_and_dropped(store: Store) -> None:
    kv = KvRows()
    async with store.transaction() as tx:
        assert await kv.get(tx, "key") is None
        await kv.put(tx, "key", "one")
        await kv.put(tx, "key", "two")
        await kv.put(tx, "other", "")
        assert await kv.get(tx, "key") == "two"
        assert await kv.get(tx, "other") == ""
        await kv.drop(tx, "key")
        await kv.drop(tx, "key")
        assert await kv.get(tx, "key") is None
