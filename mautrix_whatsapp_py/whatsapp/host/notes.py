"""What a session notes beside the events: facts in its journal, and figures."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """Figures of one session."""

    restarts: int = 0
    pump_deaths: int = 0
    leaked_threads: int = 0
    last_event_at: datetime | None = None
    last_send_at: datetime | None = None
    phone_seen_at: datetime | None = None


def log_forgotten(future: Future[None]) -> None:
    """Say that a fact was not noted, which costs nothing but that fact."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("a fact was not noted: %s", type(error).__name__)


def decode_moment(text: str) -> datetime | None:
    """The moment a note names."""
    return datetime.fromisoformat(text) if text else None
