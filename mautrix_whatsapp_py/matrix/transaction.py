"""A transaction's body: its parts, with those nobody could use left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.decode import decode_ephemeral
from mautrix_whatsapp_py.matrix.fields import ID_BYTES, is_id
from mautrix_whatsapp_py.matrix.split import split_array, split_object
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxStored


class BadBody(ValueError):
    """The body is no transaction; `errcode` says which way."""

    def __init__(self, errcode: str, text: str) -> None:
        super().__init__(text)
        self.errcode = errcode


class TooOdd(Exception):
    """The strict parser refuses the body, though another homeserver's parser may have let it through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxToDevice:
    """A message to one device, its JSON untouched."""

    sender: MxUserId
    to_user: MxUserId
    to_device: str
    kind: str
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MxKeyCount:
    """How many keys for first contacts the homeserver still has of a device."""

    user: MxUserId
    device: str
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MxKeyNews:
    """What concerns the keys of devices."""

    messages: tuple[MxToDevice, ...] = ()
    changed: tuple[MxUserId, ...] = ()
    """Users who have other devices than before."""
    counts: tuple[MxKeyCount, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing new."""
        return not (self.messages or self.changed or self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MxTransaction:
    """What a homeserver pushed at once."""

    events: tuple[MxStored, ...]
    ephemeral: tuple[MxEphemeral, ...]
    keys: MxKeyNews
    skipped: tuple[str, ...]
    """Ids of malformed events, as far as they have one."""


class _Envelope(msgspec.Struct):
    events: msgspec.Raw = msgspec.Raw(b"[]")
    ephemeral: msgspec.Raw = msgspec.Raw(b"[]")
    unstable_ephemeral: msgspec.Raw = msgspec.field(
        default=msgspec.Raw(b"[]"), name="de.sorunome.msc2409.ephemeral"
    )
    to_device: msgspec.Raw = msgspec.Raw(b"[]")
    unstable_to_device: msgspec.Raw = msgspec.field(
        default=msgspec.Raw(b"[]"), name="de.sorunome.msc2409.to_device"
    )
    device_lists: msgspec.Raw = msgspec.Raw(b"{}")
    unstable_device_lists: msgspec.Raw = msgspec.field(
        default=msgspec.Raw(b"{}"), name="org.matrix.msc3202.device_lists"
    )
    counts: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="device_one_time_keys_count")
    unstable_counts: msgspec.Raw = msgspec.field(
        default=msgspec.Raw(b"{}"), name="org.matrix.msc3202.device_one_time_keys_count"
    )
    older_counts: msgspec.Raw = msgspec.field(
        default=msgspec.Raw(b"{}"), name="org.matrix.msc3202.device_one_time_key_counts"
    )


class _Event(msgspec.Struct):
    event_id: str
    room_id: str
    sender: str
    type: str
    content: msgspec.Raw


class _EventId(msgspec.Struct):
    event_id: str


class _ToDevice(msgspec.Struct):
    sender: str
    to_user_id: str
    to_device_id: str
    type: str
    content: msgspec.Raw


class _DeviceLists(msgspec.Struct):
    changed: list[str] = []


_Counts = dict[str, dict[str, dict[str, int]]]
_LISTS = ("device_lists", "org.matrix.msc3202.device_lists")
_COUNTS = (
    "device_one_time_keys_count",
    "org.matrix.msc3202.device_one_time_keys_count",
    "org.matrix.msc3202.device_one_time_key_counts",
)
_KEY_KIND = "signed_curve25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    events: Sequence[bytes | msgspec.Raw]
    ephemeral: Sequence[bytes | msgspec.Raw]
    to_device: Sequence[bytes | msgspec.Raw]
    device_lists: Sequence[bytes | msgspec.Raw]
    """The same under one name or another, as with the counts."""
    counts: Sequence[bytes | msgspec.Raw]


def decode_transaction(raw: bytes) -> MxTransaction:
    """The parts of a body; BadBody when it is none, TooOdd when `decode_odd_transaction` has to look."""
    try:
        envelope = msgspec.json.decode(raw, type=_Envelope)
        events = _decode_list(envelope.events)
    except msgspec.ValidationError as error:
        raise BadBody("M_BAD_JSON", "The body is not an object with a list of events.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise TooOdd from error
    return _decode_parts(
        _Parts(
            events=events,
            ephemeral=_decode_lists(envelope.ephemeral, envelope.unstable_ephemeral),
            to_device=_decode_lists(envelope.to_device, envelope.unstable_to_device),
            device_lists=(envelope.device_lists, envelope.unstable_device_lists),
            counts=(envelope.counts, envelope.unstable_counts, envelope.older_counts),
        )
    )


def _decode_list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    return msgspec.json.decode(raw, type=list[msgspec.Raw])


def _decode_lists(*raws: msgspec.Raw) -> list[msgspec.Raw]:
    """The elements of the lists; what is no list has none."""
    parts: list[msgspec.Raw] = []
    for raw in raws:
        try:
            parts += _decode_list(raw)
        except msgspec.ValidationError:
            continue
    return parts


def decode_odd_transaction(raw: bytes) -> MxTransaction:
    """The same for a body with lone surrogates, NaN or nesting deeper than a parser follows; slow.

    One event like that must not keep a homeserver from ever delivering what is behind it.
    """
    try:
        json.loads(raw.decode(errors="replace"), parse_int=lambda _digits: 0)
    except RecursionError:
        pass
    except ValueError as error:
        raise BadBody("M_NOT_JSON", "The body is not JSON.") from error
    try:
        members = split_object(raw)
        events = split_array(members.get("events", b"[]"))
    except ValueError as error:
        raise BadBody("M_BAD_JSON", "The body is not an object with a list of events.") from error
    return _decode_parts(
        _Parts(
            events=events,
            ephemeral=_split_lists(members, "ephemeral"),
            to_device=_split_lists(members, "to_device"),
            device_lists=[members[name] for name in _LISTS if name in members],
            counts=[members[name] for name in _COUNTS if name in members],
        )
    )


def _split_lists(members: dict[str, bytes], name: str) -> list[bytes]:
    parts: list[bytes] = []
    for key in (name, f"de.sorunome.msc2409.{name}"):
        try:
            parts += split_array(members.get(key, b"[]"))
        except ValueError:
            continue
    return parts


def _decode_parts(parts: _Parts) -> MxTransaction:
    events: list[MxStored] = []
    skipped: list[str] = []
    for raw in parts.events:
        event = decode_stored(bytes(raw))
        if event is None:
            skipped.append(_get_event_id(bytes(raw)))
        else:
            events.append(event)
    return MxTransaction(
        events=tuple(events),
        ephemeral=tuple(event for raw in parts.ephemeral for event in decode_ephemeral(bytes(raw))),
        keys=MxKeyNews(
            messages=tuple(_decode_to_device(parts.to_device)),
            changed=_decode_changed(parts.device_lists),
            counts=_decode_counts(parts.counts),
        ),
        skipped=tuple(skipped),
    )


def decode_stored(raw: bytes) -> MxStored | None:
    """An event as it goes to the inbox; None when it lacks what every event has."""
    try:
        event = msgspec.json.decode(raw, type=_Event)
        body = raw.decode()
    except (ValueError, RecursionError):
        return None
    ids = (event.event_id, event.room_id, event.sender, event.type)
    if not is_object(event.content) or not all(map(is_id, ids)):
        return None
    return MxStored(
        seq=InboxSeq(0),
        event_id=MxEventId(event.event_id),
        room_id=MxRoomId(event.room_id),
        sender=MxUserId(event.sender),
        kind=event.type,
        body=body,
    )


def _get_event_id(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_EventId).event_id[:ID_BYTES]
    except (ValueError, RecursionError):
        return "without an id"


def _decode_to_device(raws: Sequence[bytes | msgspec.Raw]) -> Iterator[MxToDevice]:
    for raw in map(bytes, raws):
        try:
            message = msgspec.json.decode(raw, type=_ToDevice)
            body = raw.decode()
        except (ValueError, RecursionError):
            continue
        if is_object(message.content):
            yield MxToDevice(
                sender=MxUserId(message.sender),
                to_user=MxUserId(message.to_user_id),
                to_device=message.to_device_id,
                kind=message.type,
                body=body,
            )


def _decode_changed(raws: Sequence[bytes | msgspec.Raw]) -> tuple[MxUserId, ...]:
    users: dict[MxUserId, None] = {}
    for raw in map(bytes, raws):
        try:
            lists = msgspec.json.decode(raw, type=_DeviceLists)
        except (ValueError, RecursionError):
            continue
        users.update((MxUserId(user), None) for user in lists.changed if is_id(user))
    return tuple(users)


def _decode_counts(raws: Sequence[bytes | msgspec.Raw]) -> tuple[MxKeyCount, ...]:
    counts: dict[tuple[str, str], int] = {}
    for raw in map(bytes, raws):
        try:
            by_user = msgspec.json.decode(raw, type=_Counts)
        except (ValueError, RecursionError):
            continue
        for user, by_device in by_user.items():
            counts.update(((user, device), left.get(_KEY_KIND, 0)) for device, left in by_device.items())
    return tuple(
        MxKeyCount(user=MxUserId(user), device=device, left=left) for (user, device), left in counts.items()
    )


def is_object(raw: msgspec.Raw) -> bool:
    """Whether a raw value is an object."""
    return bytes(raw).lstrip().startswith(b"{")
