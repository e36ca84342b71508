"""Order around a library that is not safe to call at all times."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

Answer = TypeVar("Answer")
CALL_THREADS = 4
TRANSFER_THREADS = 8
SPACING_SECONDS = 0.1
_SETTLE_SECONDS = 0.15


class SessionNotLive(Exception):
    """The library does not know this session now; a call would take the process down."""


class Turnstile:
    """One connect or stop at a time in the whole process, spaced.

    The library's tables of sessions are plain Go maps: two writers, or a reader beside a writer, end the process.
    `settled` is awaited before every other call, which reads those maps.
    """

    def __init__(self, spacing_seconds: float = SPACING_SECONDS) -> None:
        self._lock = asyncio.Lock()
        self._settled = asyncio.Event()
        self._settled.set()
        self._spacing = spacing_seconds

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the maps."""
        async with self._lock:
            self._settled.clear()
            timer = asyncio.get_running_loop().call_later(_SETTLE_SECONDS, self._settled.set)
            try:
                yield
            finally:
                timer.cancel()
                self._settled.set()
                await asyncio.sleep(self._spacing)

    async def settled(self) -> None:
        """Wait until the maps are not being written; never long."""
        await self._settled.wait()


class Gate:
    """Lets calls through while a session is live, counts them, and closes only when the last has returned."""

    def __init__(self, name: str, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._executor = ThreadPoolExecutor(CALL_THREADS, thread_name_prefix=f"calls-{name}")
        self._transfers = ThreadPoolExecutor(TRANSFER_THREADS, thread_name_prefix=f"files-{name}")
        self._is_open = False
        self._in_flight = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def in_flight(self) -> int:
        """Calls that have not returned, those nobody waits for any more included."""
        return self._in_flight

    def open(self) -> None:
        """The session is live."""
        self._is_open = True

    def close(self) -> None:
        """No more calls."""
        self._is_open = False

    async def emptied(self, timeout_seconds: float) -> bool:
        """Wait for the calls under way; False when some did not return in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def call(self, function: Callable[[], Answer], *, is_transfer: bool = False) -> Answer:
        """Run a call on a thread of this session; SessionNotLive when the gate is closed.

        Transfers of files have threads of their own: they take long, and no message is to wait for them.
        """
        await self._turnstile.settled()
        if not self._is_open:
            raise SessionNotLive
        self._in_flight += 1
        self._empty.clear()
        call = asyncio.wrap_future((self._transfers if is_transfer else self._executor).submit(function))
        call.add_done_callback(self._returned)
        # Shielded: a call that entered the library cannot be taken back, and its end must still be counted.
        return await asyncio.shield(call)

    def _returned(self, _call: object) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._empty.set()

    def shutdown(self) -> None:
        """Give the threads back once they are done."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._transfers.shutdown(wait=False, cancel_futures=True)


def post(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: object) -> None:
    """Run something on the event loop, from any thread; dropped when the loop has ended with its process."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *arguments)


async def in_thread(function: Callable[[], None], *, name: str, timeout_seconds: float) -> bool:
    """Run something that may hang on a thread of its own; False when it has not returned in time."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def run() -> None:
        try:
            function()
        finally:
            post(loop, done.set)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        async with asyncio.timeout(timeout_seconds):
            await done.wait()
    except TimeoutError:
        return False
    return True
