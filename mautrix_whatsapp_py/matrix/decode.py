"""JSON of the homeserver to model events. Nothing here raises: what is odd becomes MxOther or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.fields import (
    EPOCH,
    Fields,
    decode_fields,
    get_fields,
    get_moment,
    get_text,
    is_id,
)
from mautrix_whatsapp_py.model.mx import (
    MxEncrypted,
    MxEphemeral,
    MxEvent,
    MxMember,
    MxMembership,
    MxOrigin,
    MxOther,
    MxReceipt,
    MxStored,
    MxText,
    MxTyping,
)

_TEXT_KINDS = frozenset({"m.text", "m.notice", "m.emote"})
_HTML = "org.matrix.custom.html"
_RECEIPTS = {"m.read": False, "m.read.private": True}


def decode_event(stored: MxStored) -> MxEvent:
    """The model of a stored event."""
    fields = decode_fields(stored.body)
    origin = MxOrigin(
        event_id=stored.event_id,
        room_id=stored.room_id,
        sender=stored.sender,
        sent_at=get_moment(fields, "origin_server_ts") or EPOCH,
    )
    event: MxEvent | None = None
    match stored.kind, "state_key" in fields:
        case "m.room.message", False:
            event = _decode_message(get_fields(fields, "content"), origin)
        case "m.room.member", True:
            event = _decode_member(fields, origin)
        case "m.room.encrypted", False:
            event = MxEncrypted(origin=origin)
    return event or MxOther(origin=origin, kind=stored.kind)


def _decode_message(content: Fields, origin: MxOrigin) -> MxText | None:
    body, msgtype = get_text(content, "body"), get_text(content, "msgtype")
    relation = get_fields(content, "m.relates_to")
    # The body of an edit repeats an older message for clients that know no edits: it is no new text.
    if body is None or msgtype not in _TEXT_KINDS or relation.get("rel_type") == "m.replace":
        return None
    reply_to = get_fields(relation, "m.in_reply_to").get("event_id")
    return MxText(
        origin=origin,
        body=body,
        html=get_text(content, "formatted_body") if content.get("format") == _HTML else None,
        msgtype=msgtype,
        reply_to=MxEventId(reply_to) if is_id(reply_to) else None,
    )


def _decode_member(fields: Fields, origin: MxOrigin) -> MxMember | None:
    user = fields.get("state_key")
    content = get_fields(fields, "content")
    membership = _decode_membership(content)
    if not is_id(user) or membership is None:
        return None
    before = get_fields(get_fields(fields, "unsigned"), "prev_content")
    return MxMember(
        origin=origin,
        user=MxUserId(user),
        membership=membership,
        is_direct=content.get("is_direct") is True,
        was=_decode_membership(before),
    )


def _decode_membership(content: Fields) -> MxMembership | None:
    try:
        return MxMembership(get_text(content, "membership") or "")
    except ValueError:
        return None


def decode_ephemeral(raw: bytes) -> Iterator[MxEphemeral]:
    """What an ephemeral part of a transaction says; presence says nothing to us."""
    fields = decode_fields(raw)
    room_id = fields.get("room_id")
    if not is_id(room_id):
        return
    content = get_fields(fields, "content")
    match fields.get("type"):
        case "m.typing":
            yield from _decode_typing(content, MxRoomId(room_id))
        case "m.receipt":
            yield from _decode_receipts(content, MxRoomId(room_id))


def _decode_typing(content: Fields, room_id: MxRoomId) -> Iterator[MxTyping]:
    users = content.get("user_ids")
    if isinstance(users, list):
        yield MxTyping(room_id=room_id, users=frozenset(MxUserId(user) for user in users if is_id(user)))


def _decode_receipts(content: Mapping[str, object], room_id: MxRoomId) -> Iterator[MxReceipt]:
    for event_id in filter(is_id, content):
        kinds = get_fields(content, event_id)
        for kind, is_private in _RECEIPTS.items():
            readers = get_fields(kinds, kind)
            for user in filter(is_id, readers):
                yield MxReceipt(
                    room_id=room_id,
                    user=MxUserId(user),
                    event_id=MxEventId(event_id),
                    is_private=is_private,
                    read_at=get_moment(get_fields(readers, user), "ts"),
                )
