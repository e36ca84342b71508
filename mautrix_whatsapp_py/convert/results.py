"""What converting comes to: things for a handler to do, or a reason not to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from mautrix_whatsapp_py.convert.notices import Refusal, explain
from mautrix_whatsapp_py.ids import MxEventId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxReactionContent, WaSendable
from mautrix_whatsapp_py.model.polls import MxPollStart, PollOption


class SkipReason(StrEnum):
    """Why there is nothing to do, and nobody to tell."""

    TARGET_UNKNOWN = "target_unknown"
    UNCHANGED = "unchanged"
    BY_OPTION = "by_option"
    NOT_FOR_USERS = "not_for_users"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Nothing to do; a target that is unknown may yet arrive."""

    reason: SkipReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It cannot be done; the writer is told."""

    refusal: Refusal

    @property
    def sentence(self) -> str:
        """What the writer is told."""
        return explain(self.refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class MxSend:
    """Events to send, in this order."""

    parts: tuple[MxMessageContent, ...]
    redacts: tuple[MxEventId, ...] = ()
    """Events left over when an edit takes fewer of them than there were."""
    timer_s: int | None = None
    """The room's new time for disappearing messages, where the message sets one; 0 is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxReact:
    """Redact the reaction before, then send this one."""

    redacts: MxEventId | None = None
    sends: MxReactionContent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRedact:
    """Events to redact."""

    targets: tuple[MxEventId, ...]
    is_by_admin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPollSend:
    """A poll to show, and its text form with the votes so far, for clients that know no polls."""

    start: MxPollStart
    text: MxMessageContent
    options: tuple[PollOption, ...]
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPollAnswer:
    """Somebody's vote in a poll, in place of the one before."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPin:
    """Pin an event in its room, or no longer."""

    event_id: MxEventId
    is_pinned: bool
    seconds: int = 0
    """For how long; 0 where WhatsApp does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxLive:
    """Where somebody is now: a new event, or what the one shared before says from now on."""

    part: MxMessageContent
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaSend:
    """What to send to the chat."""

    content: WaSendable


ToMatrix: TypeAlias = MxSend | MxReact | MxRedact | MxPollSend | MxPollAnswer | MxPin | MxLive | Skipped
ToWhatsApp: TypeAlias = WaSend | Refused | Skipped
