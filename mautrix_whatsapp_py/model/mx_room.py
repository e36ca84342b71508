"""Rooms as the bridge shapes them after groups and communities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUri, MxUserId
from mautrix_whatsapp_py.model.levels import MxLevels


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRoomFace:
    """What a room shows of itself."""

    name: str = ""
    topic: str = ""
    avatar: MxUri | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxLevelsChange:
    """Levels that are to hold; everything else stays as it is."""

    users: Mapping[MxUserId, int] = field(default_factory=dict)
    """Level 0 takes somebody off the list."""
    events: Mapping[str, int] = field(default_factory=dict)
    events_default: int | None = None
    invite: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRoomShape:
    """What a room is to be like from its first moment on."""

    topic: str = ""
    levels: MxLevelsChange | None = None
    parent: MxRoomId | None = None
    replaces: MxRoomId | None = None
    """The room in whose place it is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxNewSpace:
    """A space to be made."""

    alias: str
    """Localpart of an alias: whoever asks twice gets one space."""
    name: str
    topic: str = ""
    invites: tuple[MxUserId, ...] = ()
    parent: MxRoomId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxNameSet:
    """A room was named."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MxTopicSet:
    """A room has another topic."""

    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MxAvatarSet:
    """A room has another picture, or none."""

    avatar: MxUri | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxLevelsSet:
    """A room's power levels were set."""

    levels: MxLevels


@dataclass(frozen=True, slots=True, kw_only=True)
class MxReplaced:
    """A room was upgraded: another one takes its place."""

    by: MxRoomId


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPinsSet:
    """Other events of a room are pinned than before."""

    pinned: tuple[MxEventId, ...]
    before: tuple[MxEventId, ...] = ()


MxRoomChange: TypeAlias = MxNameSet | MxTopicSet | MxAvatarSet | MxLevelsSet | MxPinsSet | MxReplaced
