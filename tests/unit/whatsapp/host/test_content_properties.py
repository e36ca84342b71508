"""Whatever comes is decoded, quietly; whatever is sent is what was meant."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from mautrix_whatsapp_py.ids import JournalSeq, WaJid, WaMessageId
from mautrix_whatsapp_py.model import content as model
from mautrix_whatsapp_py.model.content import WaContent, WaSendable, WaUnsupported
from mautrix_whatsapp_py.model.wa import WaMessage, WaUnknown
from mautrix_whatsapp_py.whatsapp.host.decode import Account, decode_row
from mautrix_whatsapp_py.whatsapp.host.decode_content import Scene, decode_content
from mautrix_whatsapp_py.whatsapp.host.decode_context import _WRAPPERS
from mautrix_whatsapp_py.whatsapp.host.encode_content import encode_content
from mautrix_whatsapp_py.whatsapp.host.journal import Row
from mautrix_whatsapp_py.whatsapp.host.protobuf import MESSAGE_CODE
from mautrix_whatsapp_py.whatsapp.host.secrets import StoredSecret
from mautrix_whatsapp_py.whatsapp.wire import MAX_FRAME_BYTES
from tests.unit.whatsapp import strategies
from tests.unit.whatsapp.host.broken import messages, mutated
from tests.unit.whatsapp.host.contents import (
    ANA,
    BEN,
    E2E,
    FROM_ANA,
    FROM_BEN,
    FROM_ME,
    GROUP,
    OWN,
    PROTOBUF,
    SECRET,
    Message,
    scene,
    sending,
)

FROM_ME_IN_GROUP = scene(GROUP, OWN)


def require_same(content: WaSendable, where: Scene) -> None:
    chat = where.source.chat
    body = encode_content(content, sending(chat), PROTOBUF)
    assert decode_content(Message.FromString(body), where) == content


@given(strategies.sendable(st.just(ANA), st.just(OWN), st.just(ANA)))
def test_what_is_sent_to_a_person_reads_as_it_was_meant(content: WaSendable) -> None:
    require_same(content, FROM_ME)


@given(strategies.sendable(st.just(GROUP), st.just(OWN), st.just(BEN)))
def test_what_is_sent_to_a_group_reads_as_it_was_meant(content: WaSendable) -> None:
    if not isinstance(content, model.WaEphemeralTimer):
        require_same(content, FROM_ME_IN_GROUP)


def any_secret(chat: WaJid, message_id: WaMessageId) -> tuple[StoredSecret, ...]:
    return (StoredSecret(secret=SECRET, authors=(ANA, BEN)),)


SCENES = [
    FROM_ANA,
    FROM_ME,
    FROM_BEN,
    scene(WaJid(user="status", server="broadcast"), ANA, get_secrets=any_secret),
    scene(WaJid(user="1", server="newsletter"), ANA, is_view_once=True),
]


def require_fit_for_the_bridge(content: WaContent) -> None:
    body = msgspec.msgpack.encode(content)
    assert len(body) < MAX_FRAME_BYTES
    assert msgspec.msgpack.decode(body, type=WaContent) == content


@settings(max_examples=200)
@given(messages(), st.sampled_from(SCENES))
def test_any_message(message: Any, where: Scene) -> None:
    require_fit_for_the_bridge(decode_content(message, where))


@settings(max_examples=300)
@given(mutated(), st.sampled_from(SCENES))
def test_any_bytes(body: bytes, where: Scene) -> None:
    try:
        message = Message.FromString(body)
    except DecodeError:
        return
    require_fit_for_the_bridge(decode_content(message, where))


def test_the_largest_message_fits_the_socket() -> None:
    huge, mentions = "😀" * 400_000, [f"{10**30 + number}@s.whatsapp.net" for number in range(5_000)]
    quoted = Message(
        extendedTextMessage={
            "text": huge,
            "contextInfo": {"mentionedJID": mentions},
            "JPEGThumbnail": b"j" * 65_536,
        }
    )
    context = {"mentionedJID": mentions, "stanzaID": huge, "quotedMessage": quoted, "participant": huge}
    message = Message(
        extendedTextMessage={
            "text": huge,
            "matchedText": huge,
            "title": huge,
            "description": huge,
            "JPEGThumbnail": b"j" * 65_536,
            "contextInfo": context,
        }
    )
    require_fit_for_the_bridge(decode_content(message, FROM_ANA))
    key = {"ID": "T", "fromMe": True}
    edit = E2E.ProtocolMessage(type=E2E.ProtocolMessage.MESSAGE_EDIT, key=key, editedMessage=message)
    require_fit_for_the_bridge(decode_content(Message(protocolMessage=edit), FROM_ANA))


def gorge(message: Any, depth: int) -> None:
    """Fill every field with more than anybody sends."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and depth > 0:
            part = getattr(message, field.name)
            for one in [part.add() for _ in range(120)] if field.is_repeated else [part]:
                gorge(one, depth - 1 if not field.is_repeated else 0)
        elif field.type in (9, 12) and not field.is_repeated and "JID" not in field.name:
            text = "😀" * 140_000
            setattr(message, field.name, text if field.type == 9 else b"x" * 70_000)


@pytest.mark.parametrize(
    "name",
    [field.name for field in Message.DESCRIPTOR.fields if field.message_type and field.name not in _WRAPPERS],
)
def test_the_largest_of_every_kind_fits_the_socket(name: str) -> None:
    message = Message()
    part = getattr(message, name)
    part.SetInParent()
    gorge(part, 1)
    if hasattr(part, "contextInfo"):
        part.contextInfo.ClearField("quotedMessage")
    require_fit_for_the_bridge(decode_content(message, FROM_ANA))


def test_wrappers_without_end() -> None:
    message = Message(conversation="x")
    for _ in range(40):
        outer = Message()
        outer.ephemeralMessage.message.CopyFrom(message)
        message = outer
    assert decode_content(message, FROM_ANA) == WaUnsupported(kind="ephemeralMessage")


# A whole event of the journal

ACCOUNT = Account(own=OWN, get_secrets=any_secret, protobuf=PROTOBUF)
SOURCE = PROTOBUF.messages.MessageSource


def make_event(message: Any) -> bytes:
    def jid(found: WaJid | None) -> Any:
        user, server = (found.user, found.server) if found else ("", "")
        return PROTOBUF.messages.JID(
            User=user, Server=server, Device=0, RawAgent=0, Integrator=0, IsEmpty=found is None
        )

    source = SOURCE(
        Chat=jid(ANA),
        Sender=jid(ANA),
        IsFromMe=False,
        IsGroup=False,
        AddressingMode=SOURCE.DESCRIPTOR.fields_by_name["AddressingMode"].enum_type.values[0].number,
        SenderAlt=jid(None),
        RecipientAlt=jid(None),
        BroadcastListOwner=jid(None),
    )
    event = PROTOBUF.messages.Message()
    event.Info.MessageSource.CopyFrom(source)
    event.Info.ID = "T"
    event.Info.Timestamp = 1
    event.Message.CopyFrom(message)
    for part in (event, event.Info):
        for name in missing_fields(part):
            setattr(part, name, part.DESCRIPTOR.fields_by_name[name].default_value)
    body: bytes = event.SerializeToString()
    return body


def missing_fields(message: Any) -> list[str]:
    """What the library always sets, and we read as its default."""
    return [name for name in message.FindInitializationErrors() if "." not in name]


def row_of(body: bytes) -> Row:
    return Row(seq=JournalSeq(1), code=MESSAGE_CODE, received_at=datetime(2026, 1, 1, tzinfo=UTC), body=body)


MARK = "Zq7RvXw9"


@settings(max_examples=200)
@given(st.integers(0, 400), st.integers(0, 255))
def test_a_broken_event_says_nothing_of_its_content(position: int, value: int) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        info = E2E.ContextInfo(stanzaID=MARK, participant=str(BEN), quotedMessage=Message(conversation=MARK))
        message = Message(extendedTextMessage=E2E.ExtendedTextMessage(text=MARK, contextInfo=info))
        body = bytearray(make_event(message))
        body[position % len(body)] = value
        event = decode_row(row_of(bytes(body)), ACCOUNT)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert isinstance(event, WaMessage | WaUnknown)
    assert not any(MARK in record.getMessage() for record in records)
    if isinstance(event, WaUnknown):
        assert MARK not in event.kind


def test_an_event_that_is_whole() -> None:
    event = decode_row(row_of(make_event(Message(conversation="hi"))), ACCOUNT)
    assert isinstance(event, WaMessage)
    assert event.content == model.WaText(body="hi")
