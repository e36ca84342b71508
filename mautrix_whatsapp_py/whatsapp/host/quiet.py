"""Keeps the library from decrypting while it encrypts.

Both read, change and store the same record of a contact without a lock (tulir/whatsmeow#1168). Whichever stores
last undoes the other's step: the next message uses a number twice, and the recipient's phone drops it silently.
The library decrypts one message after the other and tells of each before the next, so holding it there keeps it
from decrypting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET_SECONDS = 0.006
"""When so long no message came, none is being decrypted but by chance."""
WAIT_SECONDS = 0.05
HOLD_SECONDS = 0.25
"""Incoming messages wait no longer for a send whose answer is slow; it was encrypted long before."""


class Quiet:
    """One send at a time asks for quiet; the library's thread grants it after a message."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_wanted = False
        self._is_held = False
        self._last_message = 0.0

    def after_message(self) -> None:
        """The library has told of a message; returns when it may go on to the next."""
        self._last_message = time.monotonic()
        if not self._is_wanted:
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
            deadline = time.monotonic() + WAIT_SECONDS
            while not self._is_held and (left := self._seconds_left(deadline)) > 0:
                self._changed.wait(left)
        try:
            yield
        finally:
            with self._changed:
                self._is_wanted = False
                self._changed.notify_all()

    def _seconds_left(self, deadline: float) -> float:
        return min(self._last_message + QUIET_SECONDS, deadline) - time.monotonic()
