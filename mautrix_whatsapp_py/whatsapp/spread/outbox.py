"""Letters on their way to one worker: in order, many in one go."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.tasks import spawn
from mautrix_whatsapp_py.whatsapp.spread.letters import Down, Send, Up, encode

log = logging.getLogger(__name__)

BATCH_BYTES = 1 << 19
BATCH_LETTERS = 256
LAST_SECONDS = 5.0


class Outbox:
    """One link's letters. When some could not be sent, nobody knows which arrived: `on_broken`, and no more."""

    def __init__(
        self, recipient: str, link: str, send: Send, *, is_down: bool, on_broken: Callable[[str], None]
    ) -> None:
        self._recipient = recipient
        self.link = link
        self._send = send
        self._is_down = is_down
        self._on_broken = on_broken
        self._number = 0
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._is_over = False
        self._tasks: set[asyncio.Task[None]] = set()
        spawn(self._run(), name="letters", tasks=self._tasks)

    def put(self, content: Down | Up) -> None:
        """Queue a letter; dropped once the link is broken."""
        if self._is_over:
            return
        self._number += 1
        self._waiting.append(encode(self.link, self._number, content, is_down=self._is_down))
        self._news.set()

    def close(self) -> None:
        """Send nothing more."""
        self._is_over = True
        for task in self._tasks:
            task.cancel()

    async def finish(self, content: Down | Up) -> None:
        """Send what waits and a last letter."""
        self.put(content)
        self._is_over = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=LAST_SECONDS)

    async def _run(self) -> None:
        while not self._is_over or self._waiting:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                if not await self._send_batch():
                    self._is_over = True
                    self._waiting.clear()
                    self._on_broken(self.link)
                    return

    async def _send_batch(self) -> bool:
        batch, size = [self._waiting.popleft()], 0
        while self._waiting and len(batch) < BATCH_LETTERS:
            size += len(batch[-1])
            if size + len(self._waiting[0]) > BATCH_BYTES:
                break
            batch.append(self._waiting.popleft())
        try:
            return await self._send(self._recipient, batch)
        except StoreError as error:
            log.info("letters to another worker could not be sent: %s", type(error).__name__)
            return False
