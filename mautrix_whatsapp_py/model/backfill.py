"""How far the past of an account has come into its rooms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxRoomId


class RunState(StrEnum):
    """Where the work on an account's past stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRun:
    """The work on one account's past, as it is shown and as the next process finds it."""

    login_id: LoginId
    state: RunState
    started_at: datetime
    chats_total: int = 0
    chats_done: int = 0
    messages_total: int = 0
    messages_done: int = 0
    files_total: int = 0
    files_done: int = 0
    room_id: MxRoomId | None = None
    event_id: MxEventId | None = None
    """The notice that shows it."""
