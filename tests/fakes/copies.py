"""The port MatrixCopies on the rooms in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxReactionContent, MxReply
from mautrix_whatsapp_py.model.spoken import MxSpoken, MxStretch
from mautrix_whatsapp_py.ports_copies import MatrixCopies
from tests.fakes.chats import FakeMatrixChats, Said

PAGE = 7


class FakeMatrixCopies:
    """An event's content stays a secret of the fake: its JSON is only the event's id."""

    def __init__(self, chats: FakeMatrixChats) -> None:
        self.chats = chats

    async def fetch_stretch(self, room_id: MxRoomId, after: str | None) -> MxStretch:
        gone = {one.event_id for one in self.chats.redacted}
        said = [one for one in self.chats.said if one.room_id == room_id and one.event_id not in gone]
        start = int(after or 0)
        page = tuple(_spoken(one) for one in said[start : start + PAGE])
        return MxStretch(events=page, rest=str(start + PAGE) if start + PAGE < len(said) else None)

    async def send_copy(
        self,
        room_id: MxRoomId,
        event: MxSpoken,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        renamed: Mapping[MxEventId, MxEventId],
    ) -> MxEventId:
        said = next(one for one in self.chats.said if one.event_id == event.event_id)
        content = _renamed(said, renamed)
        if isinstance(content, MxReactionContent):
            return await self.chats.send_reaction(
                room_id, content, sender=sender, txn_id=txn_id, sent_at=event.sent_at
            )
        assert isinstance(content, MxMessageContent)
        return await self.chats.send_message(room_id, content, sender=sender, txn_id=txn_id, sent_at=event.sent_at)


def _spoken(said: Said) -> MxSpoken:
    assert said.sent_at is not None
    return MxSpoken(
        event_id=said.event_id,
        sender=said.sender,
        kind="m.room.message",
        content=msgspec.json.encode(said.event_id).decode(),
        sent_at=said.sent_at,
    )


def _renamed(said: Said, renamed: Mapping[MxEventId, MxEventId]) -> object:
    content = said.content
    if isinstance(content, MxReactionContent):
        return replace(content, event_id=renamed.get(content.event_id, content.event_id))
    if isinstance(content, MxMessageContent) and isinstance(content.relation, MxReply | MxEdit):
        target = content.relation.event_id
        return replace(content, relation=replace(content.relation, event_id=renamed.get(target, target)))
    return content


def _fits_the_port(copies: FakeMatrixCopies) -> MatrixCopies:
    return copies
