"""What a client saw, in the order it saw it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Json = dict[str, Any]


class Kind(Enum):
    """Where in a sync an event stood."""

    TIMELINE = "timeline"
    STATE = "state"
    EPHEMERAL = "ephemeral"
    INVITE = "invite"
    ROOM_ACCOUNT_DATA = "room account data"
    ACCOUNT_DATA = "account data"
    TO_DEVICE = "to device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in what a client saw."""

    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as the client-server API shows it."""

    kind: Kind
    room_id: str
    type: str
    sender: str
    event_id: str
    state_key: str | None
    content: Json
    origin_server_ts: int
    unsigned: Json = field(default_factory=dict)
    redacts: str = ""

    @property
    def body(self) -> str:
        """The text of a message, or nothing."""
        body = self.content.get("body", "")
        return body if isinstance(body, str) else ""

    @property
    def is_message(self) -> bool:
        """Whether this is a message in a timeline."""
        return self.kind is Kind.TIMELINE and self.type == "m.room.message"


def decode_event(kind: Kind, room_id: str, raw: Json) -> Event:
    """An event out of its JSON."""
    content = raw.get("content", {})
    return Event(
        kind=kind,
        room_id=room_id or raw.get("room_id", ""),
        type=raw.get("type", ""),
        sender=raw.get("sender", ""),
        event_id=raw.get("event_id", ""),
        state_key=raw.get("state_key"),
        content=content,
        origin_server_ts=raw.get("origin_server_ts", 0),
        unsigned=raw.get("unsigned", {}),
        redacts=raw.get("redacts", "") or content.get("redacts", ""),
    )


def decode_sync(answer: Json) -> Iterator[Event]:
    """All events of one sync answer."""
    for raw in answer.get("account_data", {}).get("events", ()):
        yield decode_event(Kind.ACCOUNT_DATA, "", raw)
    for raw in answer.get("to_device", {}).get("events", ()):
        yield decode_event(Kind.TO_DEVICE, "", raw)
    rooms = answer.get("rooms", {})
    for room_id, room in rooms.get("invite", {}).items():
        for raw in room.get("invite_state", {}).get("events", ()):
            yield decode_event(Kind.INVITE, room_id, raw)
    for membership in ("join", "leave"):
        for room_id, room in rooms.get(membership, {}).items():
            yield from _decode_room(room_id, room)


def _decode_room(room_id: str, room: Json) -> Iterator[Event]:
    parts = (
        ("state", Kind.STATE),
        ("timeline", Kind.TIMELINE),
        ("ephemeral", Kind.EPHEMERAL),
        ("account_data", Kind.ROOM_ACCOUNT_DATA),
    )
    for name, kind in parts:
        for raw in room.get(name, {}).get("events", ()):
            yield decode_event(kind, room_id, raw)
