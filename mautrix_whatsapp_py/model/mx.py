"""What happens on the Matrix side, as the bridge sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from mautrix_whatsapp_py.ids import InboxSeq, LoginId, MxEventId, MxRoomId, MxUri, MxUserId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxReactionContent, MxRedactionContent
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange, MxRoomChange
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollStart, MxPollVote


class MxMembership(StrEnum):
    """Relation of a user to a room."""

    INVITE = "invite"
    JOIN = "join"
    LEAVE = "leave"
    BAN = "ban"
    KNOCK = "knock"


@dataclass(frozen=True, slots=True, kw_only=True)
class MxStored:
    """One event of a transaction as it lies in the inbox: who, where, and its JSON untouched."""

    seq: InboxSeq
    event_id: MxEventId
    room_id: MxRoomId
    sender: MxUserId
    kind: str
    body: str


class MxStep(StrEnum):
    """How far an event has come."""

    BRIDGE = "BRIDGE"
    REMOTE = "REMOTE"


class MxStepStatus(StrEnum):
    """What became of it there."""

    SUCCESS = "SUCCESS"
    WILL_RETRY = "WILL_RETRY"
    PERM_FAILURE = "PERM_FAILURE"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class MxCheckpoint:
    """Where an event is on its way, for whoever watches over the bridge."""

    event_id: MxEventId
    room_id: MxRoomId
    kind: str
    step: MxStep
    status: MxStepStatus
    at: datetime
    info: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxMark:
    """A place in the homeserver's stream of events."""

    token: str
    taken_at: datetime
    is_due: bool
    """Whether what came after it is still to be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxMissed:
    """What was said after a place in the stream, and up to which one."""

    events: tuple[MxStored, ...]
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MxOrigin:
    """Where an event comes from; every event has one."""

    event_id: MxEventId
    room_id: MxRoomId
    sender: MxUserId
    sent_at: datetime
    was_encrypted: bool = False
    kind: str = ""
    """The event's type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxMessage:
    """Something a person wrote or sent, new or as an edit."""

    origin: MxOrigin
    content: MxMessageContent


@dataclass(frozen=True, slots=True, kw_only=True)
class MxReaction:
    """A reaction to an event."""

    origin: MxOrigin
    content: MxReactionContent


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPoll:
    """A poll was made, voted in or ended."""

    origin: MxOrigin
    content: MxPollStart | MxPollVote | MxPollEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRedaction:
    """A message or reaction was taken back."""

    origin: MxOrigin
    content: MxRedactionContent


@dataclass(frozen=True, slots=True, kw_only=True)
class MxMember:
    """Somebody's membership changed."""

    origin: MxOrigin
    user: MxUserId
    membership: MxMembership
    is_direct: bool = False
    was: MxMembership | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRoomChanged:
    """A room's name, topic, picture or levels were set, or the room was replaced."""

    origin: MxOrigin
    change: MxRoomChange


@dataclass(frozen=True, slots=True, kw_only=True)
class MxEncrypted:
    """An encrypted event that nobody has decrypted yet, with its JSON."""

    origin: MxOrigin
    body: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MxOther:
    """An event the bridge has no use for."""

    origin: MxOrigin
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MxTyping:
    """Who is typing in a room now."""

    room_id: MxRoomId
    users: frozenset[MxUserId]


@dataclass(frozen=True, slots=True, kw_only=True)
class MxReceipt:
    """Somebody has read up to an event."""

    room_id: MxRoomId
    user: MxUserId
    event_id: MxEventId
    is_private: bool
    read_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxNotice:
    """What the bot says: plain text and, where it helps, HTML."""

    body: str
    html: str | None = None
    reply_to: MxEventId | None = None
    edits: MxEventId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPicture:
    """A picture the bot shows, with a caption."""

    uri: MxUri
    mimetype: str
    filename: str
    width: int
    height: int
    size_bytes: int
    caption: str
    edits: MxEventId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxNewRoom:
    """A room to be made for a chat."""

    alias: str
    """Localpart of an alias: whoever asks twice gets one room."""
    chat_id: str
    login: LoginId | None
    name: str = ""
    topic: str = ""
    is_direct: bool = False
    invites: tuple[MxUserId, ...] = ()
    members: tuple[MxUserId, ...] = ()
    """Ghosts that are to be in it from the start."""
    service_members: tuple[MxUserId, ...] = ()
    """Users beside the bot whom clients leave out when they name the room after its members."""
    levels: MxLevelsChange | None = None
    """Who is to be above others from the start."""
    parent: MxRoomId | None = None
    """A space it is going to be in."""
    replaces: MxRoomId | None = None
    """The room in whose place it is made."""


class MxSendOutcome(StrEnum):
    """What became of a message on its way to WhatsApp."""

    SUCCESS = "SUCCESS"
    PENDING = "PENDING"
    FAILED = "FAIL_PERMANENT"
    FAILED_MAYBE = "FAIL_RETRIABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class MxSendStatus:
    """What a client shows beside a message."""

    event_id: MxEventId
    outcome: MxSendOutcome
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxServerInfo:
    """What the homeserver says of itself."""

    versions: tuple[str, ...]
    unstable: Mapping[str, bool]
    software: str | None = None


MxEvent: TypeAlias = (
    MxMessage | MxReaction | MxRedaction | MxPoll | MxMember | MxRoomChanged | MxEncrypted | MxOther
)
MxEphemeral: TypeAlias = MxTyping | MxReceipt
