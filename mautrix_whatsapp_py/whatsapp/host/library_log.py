"""The library's log lines, without what they say about people."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf

log = logging.getLogger("whatsmeow")

_MAX_LENGTH = 200
_STUCK = "Node handling is taking long"
"""The library's event handling hangs while its socket lives."""
_HISTORY_LOST = "Failed to download history sync"
"""A part of the past could not be fetched, unpacked or read; the library lets go of it."""
_SECRET = re.compile(r"\d{5,}|[0-9A-Fa-f]{12,}|[A-Za-z0-9+/_-]{24,}|\"[^\"]*\"")


def log_library_line(
    line: bytes, login: str, protobuf: Protobuf, on_history_lost: Callable[[], None] | None = None
) -> bool:
    """Log a line of the library; whether it says that events have stopped."""
    entry = protobuf.messages.LogEntry.FromString(line)
    level = logging.WARNING if entry.Level.upper().startswith("WARN") else logging.ERROR
    if entry.Level.upper() in ("WARN", "WARNING", "ERROR"):
        log.log(level, "%s: %s", entry.Name, scrub(entry.Message), extra={"login": login})
    if on_history_lost is not None and entry.Message.startswith(_HISTORY_LOST):
        on_history_lost()
    return str(entry.Message).startswith(_STUCK)


def scrub(text: str) -> str:
    """A line without stanzas, numbers of people, keys and quoted text."""
    return _SECRET.sub("…", text.split("<", 1)[0])[:_MAX_LENGTH]
