"""What the library's thread does with an event: into the journal, or wait until it fits."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable

from mautrix_whatsapp_py.whatsapp.host.journal import EventJournal, JournalAway, JournalFull
from mautrix_whatsapp_py.whatsapp.host.protobuf import (
    BACKLOG_END_CODE,
    DECRYPTED_CODES,
    HISTORY_CODE,
    strip_wrapper,
)
from mautrix_whatsapp_py.whatsapp.host.quiet import Quiet

log = logging.getLogger(__name__)

MAX_DEPTH = 100_000
RUSH_EVENTS = 16
RUSH_GAP_SECONDS = 0.01
"""So many events, none of them later than this after the one before, are a rush."""
_RETRY_SECONDS = 1.0
_HISTORY_EFFORT = 1
"""The library waits meanwhile: a fast compression is the right one."""


class Intake:
    """Appends to the journal; a full disk or a bridge far behind holds the library, and with it the server."""

    def __init__(
        self,
        journal: EventJournal,
        *,
        on_stored: Callable[[], None],
        on_disk: Callable[[bool], None],
        max_depth: int = MAX_DEPTH,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._journal = journal
        self._on_stored = on_stored
        self._on_disk = on_disk
        self._max_depth = max_depth
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._depth = journal.depth
        self._is_disk_full = False
        self._is_away = False
        self._is_closing = False
        self._rush = 0
        self._last_at = 0.0
        self.dropped = 0
        self.quiet = Quiet()

    @property
    def depth(self) -> int:
        """Events in the journal."""
        return self._depth

    @property
    def is_rushed(self) -> bool:
        """Whether events come so fast that the library is emptying a queue."""
        return self._rush >= RUSH_EVENTS and time.monotonic() - self._last_at < RUSH_GAP_SECONDS

    @property
    def is_disk_full(self) -> bool:
        return self._is_disk_full

    @property
    def is_holding(self) -> bool:
        """Whether the library is being held back."""
        return self._is_disk_full or self._is_away or self._depth >= self._max_depth

    def append(self, code: int, body: bytes) -> None:
        """Store an event; returns when it is on disk. Called on the library's thread."""
        is_history = code == HISTORY_CODE
        payload = zlib.compress(strip_wrapper(body), _HISTORY_EFFORT) if is_history else body
        while self._may_try():
            try:
                self._journal.append(code, payload, as_file=is_history)
            except JournalFull:
                self._set_full(is_full=True)
                continue
            except JournalAway:
                # Not for long, and not the disk: whoever holds the sessions ends when it lasts.
                self._is_away = True
                continue
            self._is_away = False
            self._set_full(is_full=False)
            with self._changed:
                self._depth += 1
            self._note_time()
            self._on_stored()
            self._tell_quiet(code)
            return
        self.dropped += 1
        log.error("an event was lost: the session had to stop while the disk was full")

    def _tell_quiet(self, code: int) -> None:
        if code in DECRYPTED_CODES:
            self.quiet.after_message(is_rush=self._rush >= RUSH_EVENTS)
        elif code == BACKLOG_END_CODE:
            self.quiet.after_backlog()

    def _note_time(self) -> None:
        now = time.monotonic()
        self._rush = self._rush + 1 if now - self._last_at < RUSH_GAP_SECONDS else 0
        self._last_at = now

    def _may_try(self) -> bool:
        """Wait while there is no point in trying; False when the session must end now."""
        with self._changed:
            if self._is_disk_full or self._is_away:
                self._changed.wait(self._retry_seconds)
            while self._depth >= self._max_depth and not self._is_closing:
                self._changed.wait(self._retry_seconds)
            # The last chance of an event is one try after closing began.
            return not (self._is_closing and (self._is_disk_full or self._is_away))

    def _set_full(self, *, is_full: bool) -> None:
        if self._is_disk_full != is_full:
            self._is_disk_full = is_full
            self._on_disk(is_full)

    def acked(self, count: int) -> None:
        """So many events were deleted."""
        with self._changed:
            self._depth -= count
            self._changed.notify_all()

    def close(self) -> None:
        """Hold nobody back any more: the session ends."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def reopen(self) -> None:
        """The session goes on."""
        self._is_closing = False
