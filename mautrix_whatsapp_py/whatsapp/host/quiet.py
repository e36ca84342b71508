"""Keeps the library from decrypting while it encrypts.

Both read, change and store the same record of a contact without a lock (tulir/whatsmeow#1168). Whichever stores
last undoes the other's step: the next message uses a number twice, and the recipient's phone drops it silently.
So a send waits for a moment without messages, and the library's thread is held while it runs.

Not when messages come fast, and not while the server sends what waited for the link: the library is up to a
hundred events ahead of its thread then, all acknowledged. Held, they would be lost with a host that is killed,
and the library would decrypt them all the same. Sends wait until that is over instead.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mautrix_whatsapp_py.model.wa_link import WaLinkKind

QUIET_SECONDS = 0.006
"""When so long no message came, none is being decrypted but by chance."""
WAIT_SECONDS = 0.05
RUSH_SECONDS = 0.5
HOLD_SECONDS = 0.25
"""Incoming messages wait no longer for a send whose answer is slow; it was encrypted long before."""
BACKLOG_SECONDS = 5.0
"""Sends wait no longer for a server that does not say that all has come."""


class Quiet:
    """One send at a time asks for quiet; the library's thread grants it after a message."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_wanted = False
        self._is_held = False
        self._is_rush = False
        self._last_message = 0.0
        self._backlog_until = 0.0
        self._backlog_ended = 0.0

    def note_link(self, kind: WaLinkKind) -> None:
        """A link that begins anew brings what waited for it first."""
        if kind in (WaLinkKind.DIALLING, WaLinkKind.DISCONNECTED):
            self._backlog_until = math.inf
        elif kind is WaLinkKind.CONNECTED and math.isinf(self._backlog_until):
            self._backlog_until = time.monotonic() + BACKLOG_SECONDS

    def after_backlog(self) -> None:
        """The library has told of all that had waited."""
        with self._changed:
            self._backlog_until, self._backlog_ended = 0.0, time.monotonic()
            self._changed.notify_all()

    def after_message(self, *, is_rush: bool = False) -> None:
        """The library has told of a message; returns when it may go on to the next."""
        self._last_message, self._is_rush = time.monotonic(), is_rush
        if not self._is_wanted or is_rush or self._backlog_until > self._last_message:
            return
        with self._changed:
            self._is_held = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_wanted, HOLD_SECONDS)
            self._is_held = False
            self._last_message = time.monotonic()

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Wait until nothing is being decrypted, as far as can be told, and keep it so."""
        with self._changed:
            self._is_wanted = True
            began = time.monotonic()
            while not self._is_held and (left := self._seconds_left(began)) > 0:
                self._changed.wait(left)
        try:
            yield
        finally:
            with self._changed:
                self._is_wanted = False
                self._changed.notify_all()

    def _seconds_left(self, began: float) -> float:
        now = time.monotonic()
        backlog = min(self._backlog_until, began + BACKLOG_SECONDS) - now
        if backlog > 0:
            return backlog
        deadline = max(began, self._backlog_ended) + (RUSH_SECONDS if self._is_rush else WAIT_SECONDS)
        return min(self._last_message + QUIET_SECONDS, deadline) - now
