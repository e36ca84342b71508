"""One run of the library for one session: a thread of its own, from connect to stop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mautrix_whatsapp_py.whatsapp.host.gate import Gate, Turnstile, in_thread, post
from mautrix_whatsapp_py.whatsapp.host.library import ConnectSpec, Library
from mautrix_whatsapp_py.whatsapp.host.protobuf import DEVICE_CODE, LOGGED_OUT_CODE

log = logging.getLogger(__name__)

SIGN_SECONDS = 1.5
DIAL_SECONDS = 75.0
STOP_SECONDS = 10.0
CALLS_SECONDS = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Where callbacks go; `journal` runs on the library's thread, the others on the event loop."""

    journal: Callable[[int, bytes], None]
    on_link: Callable[[int, bytes], None]
    on_qr: Callable[[str], None]
    on_status: Callable[[str], None]
    on_log: Callable[[bytes], None]
    link_codes: frozenset[int]


@dataclass(slots=True)
class Incarnation:
    """Start it once, take it down once.

    `ended` is set when the library returned, `settled` when it did or when the session is live.
    """

    spec: ConnectSpec
    hooks: Hooks
    library: Library
    turnstile: Turnstile
    gate: Gate
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    is_live: bool = False
    live_since: float = 0.0
    error: str = ""
    last_callback: float = 0.0
    callback_since: float = 0.0
    has_leaked: bool = False
    _is_stopping: bool = False
    _thread: threading.Thread | None = None

    async def start(self) -> None:
        """Start the library's thread and hold everyone else back until its tables are written."""
        async with self.turnstile.turn():
            self._thread = threading.Thread(target=self._run, name=f"link-{self.spec.slot}", daemon=True)
            self._thread.start()
            await wait_for(self.settled, SIGN_SECONDS)

    async def take_down(self, *, quiet_seconds: float, drain_seconds: float) -> None:
        """Close the socket, let the callbacks run dry, stop. Nobody else waits while a dial hangs."""
        self._is_stopping = True
        self.gate.close()
        await wait_for(self.settled, DIAL_SECONDS)
        if self.is_live:
            await self._disconnect()
            await self.gate.emptied(CALLS_SECONDS)
            await self._run_dry(quiet_seconds, drain_seconds)
        async with self.turnstile.turn():
            await in_thread(self._stop, name=f"stop-{self.spec.slot}", timeout_seconds=STOP_SECONDS)
        if not await wait_for(self.ended, STOP_SECONDS):
            self.has_leaked = True
            log.warning("a thread of the library did not return", extra={"login": self.spec.slot})

    async def abandon(self) -> None:
        """Stop a pairing; its thread never returns."""
        self._is_stopping = True
        self.gate.close()
        async with self.turnstile.turn():
            await in_thread(self._stop, name=f"stop-{self.spec.slot}", timeout_seconds=STOP_SECONDS)

    def live_seconds(self) -> float:
        """How long this incarnation has been up."""
        return time.monotonic() - self.live_since if self.is_live else 0.0

    def callback_stuck_seconds(self) -> float:
        """How long the callback under way has been running."""
        since = self.callback_since
        return time.monotonic() - since if since else 0.0

    async def _disconnect(self) -> None:
        await in_thread(
            lambda: self.library.disconnect(self.spec.uuid),
            name=f"disconnect-{self.spec.slot}",
            timeout_seconds=DIAL_SECONDS,
        )

    async def _run_dry(self, quiet_seconds: float, drain_seconds: float) -> None:
        deadline = time.monotonic() + drain_seconds
        self.last_callback = max(self.last_callback, time.monotonic())
        while not self.ended.is_set() and (now := time.monotonic()) < deadline:
            if not self.callback_since and now - self.last_callback >= quiet_seconds:
                return
            await wait_for(self.ended, min(quiet_seconds, 0.05))

    def _stop(self) -> None:
        self.library.stop(self.spec.uuid)

    def _run(self) -> None:
        try:
            self.error = self.library.run(self.spec, self)
            if self.is_live and not self._is_stopping:
                # Its socket still acknowledges messages nobody will see: close it before anything else.
                self.library.disconnect(self.spec.uuid)
        finally:
            post(self.loop, self._on_end)

    def _on_end(self) -> None:
        self.gate.close()
        self.ended.set()
        self.settled.set()

    # Callbacks, on the library's threads

    def on_event(self, code: int, body: bytes) -> None:
        """Journal an event, or pass on what happened to the link."""
        self.callback_since = time.monotonic()
        try:
            if code == DEVICE_CODE:
                post(self.loop, self._on_sign)
            elif code == LOGGED_OUT_CODE:
                # The library has dropped the device by now; a call that looks at it takes the process down.
                self._is_stopping = True
                self.gate.close()
            if code in self.hooks.link_codes:
                post(self.loop, self.hooks.on_link, code, body)
            else:
                self.hooks.journal(code, body)
        finally:
            self.callback_since = 0.0
            self.last_callback = time.monotonic()

    def on_qr(self, text: str) -> None:
        """A code to show: the library now knows the session."""
        post(self.loop, self._on_sign)
        post(self.loop, self.hooks.on_qr, text)

    def on_status(self, word: str) -> None:
        """A login ended, well or not."""
        post(self.loop, self.hooks.on_status, word)

    def on_log(self, line: bytes) -> None:
        """A line of the library's log."""
        post(self.loop, self.hooks.on_log, line)

    def _on_sign(self) -> None:
        if not self._is_stopping and not self.is_live:
            self.is_live = True
            self.live_since = time.monotonic()
            self.gate.open()
            self.settled.set()


async def wait_for(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for an event for at most so long, None for ever; whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
