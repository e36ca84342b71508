"""What another bridge knows, whichever of its layouts it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.store.foreign import ForeignDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class OldUser:
    """Somebody who used the bridge."""

    mxid: str
    management_room: str = ""
    access_token: str = field(default="", repr=False)
    """With which the bridge acted as them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldLogin:
    """A linked account."""

    id: str
    """The digits of its number."""
    mxid: str
    device: int = 0
    """0 where the old bridge did not say."""
    space_room: str = ""
    space_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldGhost:
    """A user of the old bridge that stands for somebody on WhatsApp."""

    id: str
    """What stood in its user name: digits, or `lid-` and digits."""
    name: str = ""
    avatar_id: str = ""
    avatar_uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPortal:
    """A chat that may have a room."""

    chat: str
    receiver: str
    """Digits of the account it belongs to; empty where it is shared."""
    room_id: str = ""
    name: str = ""
    topic: str = ""
    avatar_id: str = ""
    avatar_uri: str = ""
    ghost: str = ""
    """The ghost it is with."""
    community: str = ""
    is_space: bool = False
    disappearing_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OldMembership:
    """A chat of an account."""

    login: str
    mxid: str
    chat: str
    receiver: str
    is_in_space: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OldMessage:
    """An event that stands for a message, or a part of one."""

    chat: str
    receiver: str
    message_id: str
    sender: WaJid
    event_id: str
    sent_at_ms: int
    is_placeholder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OldReaction:
    """A reaction."""

    chat: str
    receiver: str
    message_id: str
    author: WaJid | None
    """Of the message; None where the old bridge did not say."""
    sender: WaJid
    event_id: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDisappearing:
    """An event that is to be redacted; its time has begun."""

    room_id: str
    event_id: str
    due_at_ms: int


class OldBridge(Protocol):
    """A database of the old bridge; what it cannot say of an entry it leaves out and counts in `skipped`."""

    database: ForeignDatabase
    skipped: dict[str, int]
    message_table: str

    async def users(self) -> list[OldUser]: ...

    async def logins(self) -> list[OldLogin]: ...

    async def ghosts(self) -> list[OldGhost]: ...

    async def portals(self) -> list[OldPortal]: ...

    async def memberships(self) -> list[OldMembership]: ...

    def messages(self) -> AsyncIterator[list[OldMessage]]: ...

    def reactions(self) -> AsyncIterator[list[OldReaction]]: ...

    async def disappearing(self) -> list[OldDisappearing]: ...
