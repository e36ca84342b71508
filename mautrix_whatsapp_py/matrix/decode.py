"""JSON of the homeserver to model events. Nothing here raises: what is odd becomes MxOther or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.decode_content import decode_message, decode_reaction, decode_redaction
from mautrix_whatsapp_py.matrix.decode_room import decode_pins, decode_room_change
from mautrix_whatsapp_py.matrix.double_puppet import is_own_doing
from mautrix_whatsapp_py.matrix.fields import (
    EPOCH,
    Fields,
    decode_fields,
    get_fields,
    get_moment,
    get_text,
    is_id,
)
from mautrix_whatsapp_py.matrix.place_content import BEACONS, decode_beacon
from mautrix_whatsapp_py.matrix.poll_content import (
    ENDS,
    STARTS,
    VOTES,
    decode_poll_end,
    decode_poll_start,
    decode_poll_vote,
)
from mautrix_whatsapp_py.model.mx import (
    MxEncrypted,
    MxEphemeral,
    MxEvent,
    MxMember,
    MxMembership,
    MxMessage,
    MxOrigin,
    MxOther,
    MxPoll,
    MxReaction,
    MxReceipt,
    MxRedaction,
    MxRoomChanged,
    MxStored,
    MxTyping,
)
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollStart, MxPollVote

_RECEIPTS = {"m.read": False, "m.read.private": True}


def decode_event(stored: MxStored, *, was_encrypted: bool = False) -> MxEvent:
    """The model of a stored event."""
    fields = decode_fields(stored.body)
    origin = MxOrigin(
        event_id=stored.event_id,
        room_id=stored.room_id,
        sender=stored.sender,
        sent_at=get_moment(fields, "origin_server_ts") or EPOCH,
        was_encrypted=was_encrypted,
        kind=stored.kind,
    )
    event: MxEvent | None = None
    if is_own_doing(get_fields(fields, "content")):
        return MxOther(origin=origin, kind=stored.kind)
    match stored.kind, "state_key" in fields:
        case (("m.room.message" | "m.sticker"), False):
            content = decode_message(get_fields(fields, "content"), is_sticker=stored.kind == "m.sticker")
            event = MxMessage(origin=origin, content=content) if content is not None else None
        case "m.reaction", False:
            reaction = decode_reaction(get_fields(fields, "content"))
            event = MxReaction(origin=origin, content=reaction) if reaction is not None else None
        case kind, False if kind in STARTS | VOTES | ENDS:
            event = _decode_poll(kind, get_fields(fields, "content"), origin)
        case kind, False if kind in BEACONS:
            event = _decode_beacon(get_fields(fields, "content"), origin)
        case "m.room.pinned_events", True if fields.get("state_key") == "":
            event = MxRoomChanged(origin=origin, change=decode_pins(fields))
        case "m.room.redaction", False:
            event = MxRedaction(origin=origin, content=decode_redaction(fields))
        case "m.room.member", True:
            event = _decode_member(fields, origin)
        case _, True if fields.get("state_key") == "":
            change = decode_room_change(stored.kind, get_fields(fields, "content"))
            event = MxRoomChanged(origin=origin, change=change) if change is not None else None
        case "m.room.encrypted", False if get_fields(fields, "content"):
            event = MxEncrypted(origin=origin, body=stored.body)
    return event or MxOther(origin=origin, kind=stored.kind)


def _decode_poll(kind: str, content: Fields, origin: MxOrigin) -> MxPoll | None:
    said: MxPollStart | MxPollVote | MxPollEnd | None
    if kind in STARTS:
        # An edit would be another poll on WhatsApp.
        is_edit = get_fields(content, "m.relates_to").get("rel_type") == "m.replace"
        said = None if is_edit else decode_poll_start(content)
    else:
        said = decode_poll_vote(content) if kind in VOTES else decode_poll_end(content)
    return None if said is None else MxPoll(origin=origin, content=said)


def _decode_beacon(content: Fields, origin: MxOrigin) -> MxMessage | None:
    beacon = decode_beacon(content)
    if beacon is None:
        return None
    # What clients show, and what is answered and taken back, is the event with which the sharing began.
    began, said = beacon
    return MxMessage(origin=replace(origin, event_id=began), content=said)


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
            yield from decode_receipts(content, MxRoomId(room_id))


def _decode_typing(content: Fields, room_id: MxRoomId) -> Iterator[MxTyping]:
    users = content.get("user_ids")
    if isinstance(users, list):
        yield MxTyping(room_id=room_id, users=frozenset(MxUserId(user) for user in users if is_id(user)))


def decode_receipts(content: Mapping[str, object], room_id: MxRoomId) -> Iterator[MxReceipt]:
    """Who has read how far in a room."""
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
