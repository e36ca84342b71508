"""No field of WhatsApp's message ends as one of an unknown kind: each has words or content of its own."""

from __future__ import annotations

from typing import Any

import pytest

from mautrix_whatsapp_py.convert.results import MxSend, Skipped
from mautrix_whatsapp_py.convert.to_matrix import to_matrix
from mautrix_whatsapp_py.model.content import MxMessageContent, WaCard, WaContent, WaMedia, WaSilent, WaText
from mautrix_whatsapp_py.model.content import WaUnsupported as Unsupported
from mautrix_whatsapp_py.model.rich import WaCardKind
from mautrix_whatsapp_py.whatsapp.host.decode_content import decode_content
from tests.unit.convert.builders import EVENT, TO_MATRIX, replace, require_well_formed
from tests.unit.whatsapp.host.contents import E2E, FROM_ANA, FROM_BEN, Message

FIELDS = [field.name for field in Message.DESCRIPTOR.fields]
SILENT = frozenset(
    {
        "call",
        "fastRatchetKeySenderKeyDistributionMessage",
        "groupRootKeyShare",
        "messageContextInfo",
        "rootSecretDistributeMessage",
        "senderKeyDistributionMessage",
        "statusLinkPreviewMetadata",
        "stickerSyncRmrMessage",
    }
)
"""Keys, and what devices say among themselves."""
BARE_WRAPPERS = frozenset(
    {
        "associatedChildMessage",
        "audioStickerMessage",
        "botForwardedMessage",
        "botInvokeMessage",
        "deviceSentMessage",
        "documentWithCaptionMessage",
        "editedMessage",
        "ephemeralMessage",
        "groupMentionedMessage",
        "lottieStickerMessage",
        "pollCreationMessageV4",
        "protocolMessage",
        "viewOnceMessage",
        "viewOnceMessageV2",
        "viewOnceMessageV2Extension",
    }
)
"""Say how the content in them is meant; without any there is nothing to show."""


def filled(field: str) -> Any:
    """A message with this field set as a phone would set it."""
    message = Message()
    if field == "conversation":
        message.conversation = "hi"
        return message
    part = getattr(message, field)
    part.SetInParent()
    for key in ("key", "targetMessageKey", "pollCreationMessageKey", "eventCreationMessageKey"):
        if key in part.DESCRIPTOR.fields_by_name:
            getattr(part, key).ID = "T"
    if field in {
        "imageMessage",
        "videoMessage",
        "ptvMessage",
        "audioMessage",
        "documentMessage",
        "stickerMessage",
    }:
        part.directPath, part.mediaKey = "/v/x", b"k" * 32
    if field == "groupInviteMessage":
        part.groupJID, part.inviteCode = "1@g.us", "c"
    if field == "commentMessage":
        part.message.conversation = "a comment"
    return message


def events_of(content: WaContent) -> list[MxMessageContent]:
    result = to_matrix(content, replace(TO_MATRIX, targets=(EVENT,)))
    return list(result.parts) if isinstance(result, MxSend) else []


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_a_kind_of_its_own(field: str) -> None:
    content = decode_content(filled(field), FROM_BEN)
    assert not isinstance(content, Unsupported)
    assert isinstance(content, WaSilent) is (field in SILENT | BARE_WRAPPERS)
    for event in events_of(content):
        assert "unknown" not in event.body
        assert event.body.strip() or isinstance(content, WaText)
        require_well_formed(event.html)


WRAPPERS = [
    field.name
    for field in Message.DESCRIPTOR.fields
    if field.message_type is not None
    and "message" in field.message_type.fields_by_name
    and field.message_type.fields_by_name["message"].message_type is Message.DESCRIPTOR
]


@pytest.mark.parametrize("field", WRAPPERS)
def test_a_wrapper_shows_what_is_in_it(field: str) -> None:
    message = Message()
    inner = getattr(message, field)
    if field == "commentMessage":
        inner.targetMessageKey.ID = "T"
    inner.message.extendedTextMessage.text = "inside"
    content = decode_content(message, FROM_BEN)
    assert content == WaText(body="inside") or getattr(content, "body", "") == "inside"


@pytest.mark.parametrize("field", FIELDS)
def test_an_empty_field_is_told_of_by_its_name(field: str) -> None:
    message = Message()
    if field == "conversation":
        message.conversation = ""
    else:
        getattr(message, field).SetInParent()
    content = decode_content(message, FROM_ANA)
    assert not isinstance(content, Unsupported) or content.kind == field
    assert [event.body for event in events_of(content) if "unknown" in event.body] == []


@pytest.mark.parametrize("kind", WaCardKind)
def test_every_card_is_told_of(kind: WaCardKind) -> None:
    (bare,) = events_of(WaCard(kind=kind))
    assert len(bare.body.strip()) > 3
    (full,) = events_of(WaCard(kind=kind, title="A *title*", body="Words", choices=("One",), footer="small"))
    require_well_formed(full.html)
    if kind is not WaCardKind.CALL_LOG:
        assert "title" in full.body
        assert "Words" in full.body
        assert "One" in full.body


def test_what_is_newer_than_the_library_is_told_of() -> None:
    (event,) = events_of(decode_content(Message.FromString(b"\xfa\x7f\x01a"), FROM_ANA))
    assert "unknown kind" in event.body
    assert "phone" in event.body


def test_a_header_of_a_business_message_is_its_file() -> None:
    message = Message()
    part = message.buttonsMessage
    part.contentText = "choose"
    part.imageMessage.directPath, part.imageMessage.mediaKey = "/v/x", b"k" * 32
    part.buttons.add(buttonText=E2E.ButtonsMessage.Button.ButtonText(displayText="A"))
    content = decode_content(message, FROM_ANA)
    assert isinstance(content, WaCard)
    assert isinstance(content.media, WaMedia)
    assert content.choices == ("A",)


def test_devices_keep_their_secrets() -> None:
    for field in SILENT:
        assert isinstance(to_matrix(decode_content(filled(field), FROM_ANA), TO_MATRIX), Skipped)
