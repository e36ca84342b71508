"""What converting comes to: things for a handler to do, or a reason not to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mautrix_whatsapp_py.convert.notices import Refusal, explain
from mautrix_whatsapp_py.ids import MxEventId
from mautrix_whatsapp_py.model.content import MxMessageContent, MxReactionContent, WaSendable


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
class WaSend:
    """What to send to the chat."""

    content: WaSendable


ToMatrix: TypeAlias = MxSend | MxReact | MxRedact | Skipped
ToWhatsApp: TypeAlias = WaSend | Refused | Skipped
