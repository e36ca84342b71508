"""What a user's own synchronisation tells of rooms."""

from __future__ import annotations

from datetime import UTC, datetime

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.accounts import decode_news
from mautrix_whatsapp_py.model.mx import MxReceipt

ALICE, BEN = MxUserId("@alice:localhost"), MxUserId("@whatsapp_1:localhost")
ROOM = MxRoomId("!room:localhost")


def test_private_receipts_of_the_user_are_told() -> None:
    receipts = {
        "$1": {"m.read": {ALICE: {"ts": 1}, BEN: {"ts": 1}}},
        "$2": {"m.read.private": {ALICE: {"ts": 2000}, BEN: {"ts": 2}}, "m.read": "nothing"},
        "$3": None,
    }
    typing = {"type": "m.typing", "content": {"user_ids": [BEN]}}
    told = {"events": [typing, {"type": "m.receipt", "content": receipts}, "nonsense"]}
    answer = {"rooms": {"join": {ROOM: {"ephemeral": told}, "!other:localhost": "nonsense"}}}
    news = decode_news(answer, batch="b", user=ALICE)
    assert news.read == (
        MxReceipt(
            room_id=ROOM,
            user=ALICE,
            event_id=MxEventId("$2"),
            is_private=True,
            read_at=datetime.fromtimestamp(2, UTC),
        ),
    )
    assert (news.tags, news.unread, news.muted) == ({}, {}, None)
