"""Facts a session notes in its journal beside the events."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from datetime import datetime

log = logging.getLogger(__name__)


def log_forgotten(future: Future[None]) -> None:
    """Say that a fact was not noted, which costs nothing but that fact."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("a fact was not noted: %s", type(error).__name__)


def decode_moment(text: str) -> datetime | None:
    """The moment a note names."""
    return datetime.fromisoformat(text) if text else None
