"""What was read on the phone is read by whoever lets the bridge act for them."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.doubles import NoDoubles
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.content import MxMessageContent
from tests.fakes.chats import FakeMatrixChats
from tests.flow.chat import BEN
from tests.flow.past import Past
from tests.flow.world import ALICE, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


class Reader(NoDoubles):
    """Remembers how far somebody was shown to have read."""

    def __init__(self) -> None:
        self.read: list[tuple[MxUserId, str]] = []
        self.unread: list[MxUserId] = []
        self.chats: FakeMatrixChats | None = None

    def can_act_as(self, user: MxUserId) -> bool:
        return True

    async def mark_unread(self, user: MxUserId, room_id: MxRoomId) -> None:
        self.unread.append(user)

    async def mark_read(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> None:
        assert self.chats is not None
        (content,) = [one.content for one in self.chats.said if one.event_id == event_id]
        assert isinstance(content, MxMessageContent)
        self.read.append((user, content.body))


@pytest.mark.parametrize(("unread", "last_read"), [(0, 9), (3, 6), (-1, 9)])
async def test_what_was_read_on_the_phone_is_read_by_whoever_lets_us(
    world: World, unread: int, last_read: int
) -> None:
    world.doubles = reader = Reader()
    reader.chats = world.chats
    await world.restart()
    past = await Past.open(world)
    past.history.add(*past.write(10), unread=unread)
    await past.bring()
    assert reader.read == [(ALICE, f"{BEN.user} {last_read}")]
    assert reader.unread == ([ALICE] if unread < 0 else [])
    await past.backfill.stop()


class Guest(Reader):
    """One whose own coming is the last event of the room."""

    async def fetch_newest(self, user: MxUserId, room_id: MxRoomId) -> MxEventId | None:
        return MxEventId("$join")

    async def mark_read(self, user: MxUserId, room_id: MxRoomId, event_id: MxEventId) -> None:
        self.read.append((user, event_id))


async def test_a_mark_of_the_bridge_behind_the_invitation_says_nothing_of_what_comes_after(world: World) -> None:
    world.doubles = guest = Guest()
    await world.restart()
    past = await Past.open(world)
    ids = past.write(10)
    past.history.add(*ids, unread=3)
    await past.bring()
    assert guest.read == [(ALICE, "$join")]
    await past.chat.read(MxEventId("$join"))
    assert past.chat.client.marked == []
    await past.chat.read(past.world.chats.said[-1].event_id)
    assert sum(len(mark.message_ids) for mark in past.chat.client.marked) == 3
    await past.backfill.stop()
