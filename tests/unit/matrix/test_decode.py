"""JSON to model events."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.decode import decode_ephemeral, decode_event
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxMsgType, MxReply
from mautrix_whatsapp_py.model.mx import (
    MxEncrypted,
    MxEvent,
    MxMember,
    MxMembership,
    MxMessage,
    MxOrigin,
    MxOther,
    MxReceipt,
    MxRoomChanged,
    MxStored,
    MxTyping,
)
from tests.unit.matrix.shapes import (
    ANN,
    EVENTS,
    PRESENCE,
    RECEIPT,
    ROOM,
    STATES,
    TYPING,
    Json,
    member,
    message,
    room_event,
    state,
)

ORIGIN = MxOrigin(
    event_id=MxEventId("$event"),
    room_id=MxRoomId(ROOM),
    sender=MxUserId(ANN),
    sent_at=datetime.fromtimestamp(1_760_000_000, UTC),
)


def said(body: str, **more: Any) -> MxMessage:
    return MxMessage(origin=ORIGIN, content=MxMessageContent(body=body, **more))


def decode(event: Json) -> MxEvent:
    """The event, whose type is looked at here and left out."""
    decoded = decode_event(stored(json.dumps(event), kind=event["type"]))
    assert decoded.origin.kind == event["type"]
    return replace(decoded, origin=replace(decoded.origin, kind=""))


def stored(body: str, *, kind: str = "m.room.message") -> MxStored:
    return MxStored(
        seq=InboxSeq(7),
        event_id=ORIGIN.event_id,
        room_id=ORIGIN.room_id,
        sender=ORIGIN.sender,
        kind=kind,
        body=body,
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"msgtype": "m.text", "body": "hello"}, said(body="hello")),
        ({"msgtype": "m.text", "body": ""}, said(body="")),
        (
            {"msgtype": "m.notice", "body": "👨‍👩‍👧 שלום"},
            said(body="👨‍👩‍👧 שלום", msgtype=MxMsgType.NOTICE),
        ),
        ({"msgtype": "m.emote", "body": "x" * 65536}, said(body="x" * 65536, msgtype=MxMsgType.EMOTE)),
        (
            {"msgtype": "m.text", "body": "a", "format": "org.matrix.custom.html", "formatted_body": "<b>a</b>"},
            said(body="a", html="<b>a</b>"),
        ),
        (
            {"msgtype": "m.text", "body": "a", "format": "x", "formatted_body": "b"},
            said(body="a"),
        ),
        (
            {"msgtype": "m.text", "body": "a", "format": "org.matrix.custom.html", "formatted_body": 5},
            said(body="a"),
        ),
        (
            {"msgtype": "m.text", "body": "a", "m.relates_to": {"m.in_reply_to": {"event_id": "$b"}}},
            said(body="a", relation=MxReply(event_id=MxEventId("$b"))),
        ),
        ({"msgtype": "m.text", "body": "a", "m.relates_to": ["$b"]}, said(body="a")),
        (
            {"msgtype": "m.text", "body": "a", "m.relates_to": {"m.in_reply_to": {"event_id": ""}}},
            said(body="a"),
        ),
        ({"msgtype": "m.text", "body": "a\0b"}, said(body="a\ufffdb")),
    ],
)
def test_texts(content: Json, expected: MxMessage) -> None:
    assert decode(message(content)) == expected


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"msgtype": "m.text"},
        {"msgtype": "m.text", "body": 5},
        {"msgtype": "m.text", "body": "* new", "m.relates_to": {"rel_type": "m.replace", "event_id": "$a"}},
    ],
)
def test_messages_that_say_nothing(content: Json) -> None:
    assert decode(message(content)) == MxOther(origin=ORIGIN, kind="m.room.message")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"body": "hello"}, said("hello", msgtype=MxMsgType.OTHER)),
        ({"msgtype": ["m.text"], "body": "hello"}, said("hello", msgtype=MxMsgType.OTHER)),
        ({"msgtype": "m.image", "body": "a.png"}, said("a.png", msgtype=MxMsgType.IMAGE)),
        (
            {
                "msgtype": "m.text",
                "body": "* new",
                "m.new_content": {"msgtype": "m.text", "body": "new"},
                "m.relates_to": {"rel_type": "m.replace", "event_id": "$a"},
            },
            said("new", relation=MxEdit(event_id=MxEventId("$a"))),
        ),
    ],
)
def test_other_messages(content: Json, expected: MxMessage) -> None:
    assert decode(message(content)) == expected


def test_a_state_event_is_no_message() -> None:
    event = state("m.room.message", {"msgtype": "m.text", "body": "hello"})
    assert decode(event) == MxOther(origin=ORIGIN, kind="m.room.message")


@pytest.mark.parametrize("membership", list(MxMembership))
def test_memberships(membership: MxMembership) -> None:
    assert decode(member(membership)) == MxMember(origin=ORIGIN, user=MxUserId(ANN), membership=membership)


def test_an_invitation_to_a_direct_chat_and_what_was_before() -> None:
    event = {**member("invite", is_direct=True), "unsigned": {"prev_content": {"membership": "leave"}}}
    decoded = decode(event)
    assert isinstance(decoded, MxMember)
    assert decoded.is_direct
    assert decoded.was is MxMembership.LEAVE


@pytest.mark.parametrize(
    "event",
    [
        member("dance"),
        member("join") | {"state_key": ""},
        member("join") | {"state_key": 5},
        member("join") | {"content": []},
        room_event("m.room.member", {"membership": "join"}),
    ],
)
def test_odd_memberships(event: Json) -> None:
    assert decode(event) == MxOther(origin=ORIGIN, kind="m.room.member")


def test_is_direct_is_a_truth_value_only() -> None:
    decoded = decode(member("invite", is_direct="yes"))
    assert isinstance(decoded, MxMember)
    assert not decoded.is_direct


def test_encrypted_events() -> None:
    event = decode(room_event("m.room.encrypted", {"ciphertext": "a"}))
    assert isinstance(event, MxEncrypted)
    assert event.origin == ORIGIN
    assert json.loads(event.body)["content"] == {"ciphertext": "a"}


@pytest.mark.parametrize("kind", ["m.room.message", "m.reaction", "m.room.redaction", "m.room.encrypted"])
def test_what_we_did_as_a_user_is_no_news(kind: str) -> None:
    content = {"body": "!wa logout", "msgtype": "m.text", "fi.mau.double_puppet_source": "mautrix-whatsapp-py"}
    assert isinstance(decode(room_event(kind, content)), MxOther)


def test_what_another_bridge_did_is_news() -> None:
    content = {"body": "hello", "msgtype": "m.text", "fi.mau.double_puppet_source": "mautrix-signal"}
    assert isinstance(decode(room_event("m.room.message", content)), MxMessage)


ROOM_CHANGES = {
    "m.room.name",
    "m.room.pinned_events",
    "m.room.topic",
    "m.room.avatar",
    "m.room.power_levels",
    "m.room.tombstone",
}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_every_shape_has_a_model(event: Json) -> None:
    decoded = decode(event)
    assert decoded.origin == ORIGIN
    if isinstance(decoded, MxRoomChanged):
        assert event["type"] in ROOM_CHANGES
    elif event in STATES and event["type"] != "m.room.member":
        assert decoded == MxOther(origin=ORIGIN, kind=event["type"])


@pytest.mark.parametrize("ts", [None, "5", -1, True, 1.5, 10**30, 253_402_300_800_000])
def test_a_senseless_time_is_the_epoch(ts: object) -> None:
    decoded = decode({**message({"msgtype": "m.text", "body": "a"}), "origin_server_ts": ts})
    assert decoded.origin.sent_at == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{", '"text"', "[" * 100_000, '{"a": 1e999}', '{"a": ' + "9" * 9999 + "}"]
)
def test_a_body_that_is_nothing_is_something_else(body: str) -> None:
    decoded = decode_event(stored(body))
    assert isinstance(decoded, MxOther)
    assert decoded.kind == "m.room.message"


def test_typing() -> None:
    users = frozenset({MxUserId(ANN), MxUserId("@bob:example.org")})
    assert list(decode_ephemeral(json.dumps(TYPING).encode())) == [MxTyping(room_id=MxRoomId(ROOM), users=users)]


def test_nobody_types_any_more() -> None:
    event = {**TYPING, "content": {"user_ids": []}}
    assert list(decode_ephemeral(json.dumps(event).encode())) == [
        MxTyping(room_id=MxRoomId(ROOM), users=frozenset())
    ]


def test_receipts() -> None:
    receipts = list(decode_ephemeral(json.dumps(RECEIPT).encode()))
    assert receipts[0] == MxReceipt(
        room_id=MxRoomId(ROOM),
        user=MxUserId(ANN),
        event_id=MxEventId("$one"),
        is_private=False,
        read_at=datetime.fromtimestamp(1_760_000_000, UTC),
    )
    summary = [(r.event_id, r.user, r.is_private) for r in receipts if isinstance(r, MxReceipt)]
    assert summary[1:] == [("$one", "@bob:example.org", True), ("$two", "@cat:example.org", False)]


@pytest.mark.parametrize(
    "event",
    [
        PRESENCE,
        {**TYPING, "room_id": 5},
        {**TYPING, "content": None},
        {**TYPING, "content": {"user_ids": "everybody"}},
        {**RECEIPT, "content": {"$a": {"m.read": ["@a:b"]}}},
        {**RECEIPT, "content": {"$a": "m.read"}},
        {**RECEIPT, "type": ["m.receipt"]},
        5,
        None,
        [],
    ],
)
def test_ephemeral_parts_that_say_nothing(event: object) -> None:
    assert list(decode_ephemeral(json.dumps(event).encode())) == []


def test_a_receipt_without_a_time_is_one() -> None:
    event = {**RECEIPT, "content": {"$a": {"m.read": {ANN: "now"}}}}
    (receipt,) = decode_ephemeral(json.dumps(event).encode())
    assert isinstance(receipt, MxReceipt)
    assert receipt.read_at is None
