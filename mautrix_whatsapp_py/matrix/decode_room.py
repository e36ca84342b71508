"""Changes of rooms, from the homeserver's JSON to the model."""

from __future__ import annotations

from typing import Any

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUri, MxUserId
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text, is_id
from mautrix_whatsapp_py.model.levels import DEFAULT_STATE_LEVEL, MxLevels
from mautrix_whatsapp_py.model.mx_room import (
    MxAvatarSet,
    MxLevelsSet,
    MxNameSet,
    MxPinsSet,
    MxReplaced,
    MxRoomChange,
    MxTopicSet,
)


def decode_room_change(kind: str, content: Fields) -> MxRoomChange | None:
    """What a state event with an empty key changes; None when that is nothing to us."""
    match kind:
        case "m.room.name":
            return MxNameSet(name=get_text(content, "name") or "")
        case "m.room.topic":
            return MxTopicSet(topic=get_text(content, "topic") or "")
        case "m.room.avatar":
            url = get_text(content, "url")
            return MxAvatarSet(avatar=MxUri(url) if url else None)
        case "m.room.power_levels":
            return MxLevelsSet(levels=decode_levels(content))
        case "m.room.tombstone":
            successor = content.get("replacement_room")
            return MxReplaced(by=MxRoomId(successor)) if is_id(successor) else None
    return None


def decode_pins(fields: Fields) -> MxPinsSet:
    """The events that are pinned now, and those that were before."""
    before = get_fields(get_fields(fields, "unsigned"), "prev_content")
    return MxPinsSet(pinned=_pins(get_fields(fields, "content")), before=_pins(before))


def _pins(content: Fields) -> tuple[MxEventId, ...]:
    pinned = content.get("pinned")
    return tuple(MxEventId(event_id) for event_id in pinned if is_id(event_id)) if isinstance(pinned, list) else ()


def decode_levels(content: Fields) -> MxLevels:
    """The power levels of a room."""
    return MxLevels(
        users={MxUserId(user): level for user, level in _levels(get_fields(content, "users")).items()},
        users_default=_level(content.get("users_default"), 0),
        events=_levels(get_fields(content, "events")),
        state_default=_level(content.get("state_default"), DEFAULT_STATE_LEVEL),
        events_default=_level(content.get("events_default"), 0),
    )


def _levels(fields: Fields) -> dict[str, int]:
    return {key: value for key, value in fields.items() if isinstance(value, int)}


def _level(value: Any, default: int) -> int:
    return value if isinstance(value, int) else default
