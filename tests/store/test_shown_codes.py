"""Codes on show, on both databases."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.store.shown_codes import ShownCode, ShownCodes
from mautrix_whatsapp_py.store.store import Store


def code(name: str, *, room: str = "!dm:localhost") -> ShownCode:
    return ShownCode(event_id=MxEventId(f"${name}"), room_id=MxRoomId(room), user=MxUserId("@alice:localhost"))


async def test_codes_come_back_until_they_are_removed(store: Store) -> None:
    shown = ShownCodes(store)
    assert await shown.get_all() == []
    one, two = code("one"), code("two", room="!other:localhost")
    for each in (one, two, one):
        await shown.add(each)
    assert sorted(await shown.get_all(), key=lambda found: found.event_id) == [one, two]
    await shown.remove(one.event_id)
    await shown.remove(one.event_id)
    assert await ShownCodes(store).get_all() == [two]
