"""Files that are not there yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mautrix_whatsapp_py.ids import LoginId, MxEventId
from mautrix_whatsapp_py.model.portal import PortalId


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingFile:
    """A notice in the place of a file, and the message that has it."""

    event_id: MxEventId
    portal_id: PortalId
    login_id: LoginId
    message: bytes = field(repr=False)
    attempts: int = 0
    is_asked: bool = False
    """Whether somebody waits for an answer."""
    next_at: datetime | None
    """When it is tried again; None when nobody asks for it."""
    created_at: datetime
