"""What was said in a room, as it can be said again in another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mautrix_whatsapp_py.ids import MxEventId, MxUserId


@dataclass(frozen=True, slots=True, kw_only=True)
class MxSpoken:
    """One event; nobody but the homeserver's adapter looks into its content."""

    event_id: MxEventId
    sender: MxUserId
    kind: str
    content: str = field(repr=False)
    """JSON."""
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MxStretch:
    """Some of what was said in a room, the oldest first."""

    events: tuple[MxSpoken, ...]
    rest: str | None
    """Asks for what follows; None at the end."""
    unreadable: int = 0
    """Encrypted events whose keys are not there."""
