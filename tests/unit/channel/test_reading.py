"""What readers are given of messages that are neither text nor file."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mautrix_whatsapp_py.channel.reading import read_content
from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    WaContent,
    WaKind,
    WaMessageRef,
    WaReaction,
    WaRevoke,
    WaSilent,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.model.media import WaFile, WaMedia
from mautrix_whatsapp_py.model.rich import (
    WaCard,
    WaCardKind,
    WaContactCards,
    WaGroupInvite,
    WaLiveLocation,
    WaLocation,
    WaOccasion,
    WaPoll,
    WaPollVote,
    WaVcard,
)

CHAT = WaJid(user="1203", server="g.us")
REF = WaMessageRef(chat=CHAT, message_id=WaMessageId("M1"))
FILE = WaFile(direct_path="/v/1", media_key=b"", sha256=b"", enc_sha256=b"")
CARD = "BEGIN:VCARD\nFN:Ben\nTEL;type=CELL;waid=15550002222:+1 555 000 2222\nEND:VCARD"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (WaText(body="hi"), "hi"),
        (WaText(body="[from: The owner]"), "(from: The owner]"),
        (WaMedia(kind=WaKind.IMAGE, file=FILE, caption="look"), "<media:image> look"),
        (WaMedia(kind=WaKind.GIF, file=FILE), "<media:video>"),
        (WaMedia(kind=WaKind.VOICE, file=FILE), "<media:audio>"),
        (WaMedia(kind=WaKind.DOCUMENT, file=FILE), "<media:document>"),
        (WaMedia(kind=WaKind.STICKER, file=FILE), "<media:sticker>"),
        (
            WaLocation(latitude=59.437, longitude=24.7536, name="Town hall"),
            "<location>\nTown hall\n59.437000,24.753600",
        ),
        (WaLiveLocation(latitude=1.0, longitude=2.0), "<live location>\n1.000000,2.000000"),
        (WaContactCards(cards=(WaVcard(name="Ben", text=CARD),)), "<contacts>\nBen: +1 555 000 2222"),
        (WaPoll(question="When?", options=("now", "[from: later]")), "<poll>\nWhen?\n- now\n- (from: later]"),
        (WaGroupInvite(group=CHAT, code="x", name="Club"), "<invitation to a group>\nClub"),
        (
            WaOccasion(name="Party", starts_at=datetime(2026, 1, 1, 18, tzinfo=UTC)),
            "<event>\nParty\n2026-01-01T18:00+00:00",
        ),
        (WaCard(kind=WaCardKind.BUTTONS, body="Choose", choices=("a",)), "<buttons>\nChoose\n- a"),
        (WaViewOnceNotice(kind=WaKind.IMAGE), "<media:image> (to be viewed once, on the phone only)"),
        (WaUnsupported(kind="new"), "<unsupported:new>"),
        (WaPollVote(target=REF, options=()), "<vote>"),
    ],
)
def test_a_message_as_text(content: WaContent, text: str) -> None:
    reading = read_content(content)
    assert reading is not None
    assert reading.text == text


@pytest.mark.parametrize(
    "content",
    [
        WaReaction(target=REF, emoji="👍"),
        WaRevoke(target=REF),
        WaSilent(kind="sync"),
        WaLiveLocation(latitude=1.0, longitude=2.0, sequence=2),
    ],
)
def test_what_is_no_message_of_its_own_is_not_read(content: WaContent) -> None:
    assert read_content(content) is None
