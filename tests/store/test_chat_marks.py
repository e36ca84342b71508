"""How accounts have put their chats, on both dialects."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import LoginId, MxRoomId, PortalKey, WaJid
from mautrix_whatsapp_py.model.chat_marks import ChatMarks
from mautrix_whatsapp_py.store.chat_marks import ChatMarkRows
from mautrix_whatsapp_py.store.portal_end import PortalEnd
from mautrix_whatsapp_py.store.portals import PortalRows
from mautrix_whatsapp_py.store.store import Store

LOGIN, OTHER = LoginId("15550001111"), LoginId("15550002222")
CLUB = PortalKey(chat=WaJid(user="1", server="g.us"))
ROOM, NEW_ROOM = MxRoomId("!a:localhost"), MxRoomId("!b:localhost")
PINNED, MUTED = ChatMarks(is_pinned=True), ChatMarks(is_muted=True, is_archived=True)


async def test_marks_are_those_of_one_account_and_the_room_it_had(store: Store) -> None:
    rows = ChatMarkRows()
    async with store.transaction() as tx:
        portal = await PortalRows().ensure(tx, CLUB)
        await rows.put(tx, LOGIN, portal.id, ROOM, PINNED)
        await rows.put(tx, OTHER, portal.id, ROOM, MUTED)
    async with store.reading() as tx:
        assert await rows.get_all(tx, LOGIN) == {ROOM: PINNED}
        assert await rows.get_all(tx, OTHER) == {ROOM: MUTED}
    async with store.transaction() as tx:
        await rows.put(tx, LOGIN, portal.id, NEW_ROOM, MUTED)
    async with store.reading() as tx:
        assert await rows.get_all(tx, LOGIN) == {NEW_ROOM: MUTED}
    async with store.transaction() as tx:
        await rows.remove(tx, OTHER)
    async with store.reading() as tx:
        assert await rows.get_all(tx, OTHER) == {}
        assert await rows.get_all(tx, LOGIN) == {NEW_ROOM: MUTED}
    async with store.transaction() as tx:
        await PortalEnd().remove(tx, portal.id)
    async with store.reading() as tx:
        assert await rows.get_all(tx, LOGIN) == {}
