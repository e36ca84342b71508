"""Chats that have, or will have, a room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from mautrix_whatsapp_py.ids import (
    InboxSeq,
    LoginId,
    MxEventId,
    MxRoomId,
    PersonId,
    PortalKey,
    SendId,
    WaJid,
    WaMessageId,
)
from mautrix_whatsapp_py.model.polls import PollOption

PortalId = NewType("PortalId", int)
PERSON_SERVER = "person"
"""Server part of the chat of a direct portal: it names the person, whose addresses may change."""


def direct_chat(person_id: PersonId) -> WaJid:
    """How a portal's key names a chat with one person."""
    return WaJid(user=str(person_id), server=PERSON_SERVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """A chat and its room."""

    id: PortalId
    key: PortalKey
    room_id: MxRoomId | None = None
    name: str = ""
    disappearing_seconds: int = 0
    is_lid_addressed: bool = False
    """How the chat addresses people, as seen last."""

    @property
    def person_id(self) -> PersonId | None:
        """Whom a direct chat is with."""
        return PersonId(int(self.key.chat.user)) if self.key.chat.server == PERSON_SERVER else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePart:
    """One event that stands for a message, or for a part of it."""

    portal_id: PortalId
    message_id: WaMessageId
    person_id: PersonId
    part: int = 0
    event_id: MxEventId
    sender: WaJid
    """The author's address as this chat used it: quotes, edits and reactions have to name it so."""
    sent_at: datetime
    login_id: LoginId
    is_own: bool
    """Whether it was sent by one of our logins: `login_id`."""
    is_placeholder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionRow:
    """The event of one person's reaction to a message."""

    portal_id: PortalId
    message_id: WaMessageId
    author_id: PersonId
    person_id: PersonId
    event_id: MxEventId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRow:
    """A poll: how the two sides name its options, and the events that show it and its votes."""

    portal_id: PortalId
    message_id: WaMessageId
    options: tuple[PollOption, ...]
    max_selections: int = 1
    """0 is any number."""
    event_id: MxEventId | None = None
    """None where polls are shown as text alone."""
    tally_event_id: MxEventId | None = None
    ends_at: datetime | None = None
    is_from_matrix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DisappearingEvent:
    """An event that is to be redacted."""

    event_id: MxEventId
    room_id: MxRoomId
    due_at: datetime


class SendState(StrEnum):
    """How far a message to WhatsApp has come."""

    WAITING = "waiting"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A message on its way to WhatsApp."""

    send_id: SendId
    portal_id: PortalId
    login_id: LoginId
    event_id: MxEventId
    inbox_seq: InboxSeq
    secret: bytes
    content: bytes
    """What is said, encoded; empty where it is made of the event once more before each try."""
    created_at: datetime
    state: SendState = SendState.WAITING
