"""Ends a process that may no longer do what only one may: before somebody else can."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from mautrix_whatsapp_py.errors import ExitCode

LOOK_SECONDS = 0.2
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def machine_seconds() -> float:
    """A clock all processes of a machine share, which goes on while it sleeps."""
    return time.clock_gettime(_CLOCK)


class Fence:
    """A deadline that is moved on while the lease is renewed; nothing survives it."""

    def __init__(
        self,
        until: float,
        end: Callable[[int], object] = os._exit,
        *,
        grace_seconds: float = 0.0,
        on_grace: Callable[[], object] = lambda: None,
    ) -> None:
        """So long before the deadline somebody is called, once, who may still end in order."""
        self.until = until
        self._end = end
        self._grace_seconds = grace_seconds
        self._on_grace = on_grace
        self._is_warned = False
        self._is_open = threading.Event()

    def start(self) -> None:
        """Watch from now on, on a thread of its own: an event loop may be stuck."""
        threading.Thread(target=self._watch, name="fence", daemon=True).start()

    def open(self) -> None:
        """Watch no more: what was fenced is down."""
        self._is_open.set()

    def _watch(self) -> None:
        while not self._is_open.wait(LOOK_SECONDS):
            left_seconds = self.until - machine_seconds()
            if left_seconds < 0:
                self._end(ExitCode.LEASE_LOST)
                return
            if left_seconds < self._grace_seconds and not self._is_warned:
                self._is_warned = True
                self._on_grace()
