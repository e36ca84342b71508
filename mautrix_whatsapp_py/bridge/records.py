"""Messages that are in their rooms and on their way into the database; the next of their chat need not wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from mautrix_whatsapp_py.bridge.lanes import retry_backoff
from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import spawn

log = logging.getLogger(__name__)

MOST_PER_CHAT = 32
PATIENCE_SECONDS = 5.0
"""How long somebody who asks about a chat waits for what is under way, before the database counts as away."""


class Records:
    """Writes rows beside the handlers of a chat. Whoever reads rows of that chat waits for `settled` first."""

    def __init__(self) -> None:
        self._open: dict[PortalId, dict[WaMessageId, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        portal_id: PortalId,
        message_id: WaMessageId,
        write: Callable[[], Awaitable[None]],
        on_recorded: Callable[[], None],
        *,
        clock: Clock,
    ) -> None:
        """Write until it is done, then say so; an end of the program before that says nothing."""
        task = spawn(self._write(write, on_recorded, clock), name="record", tasks=self._tasks)
        self._open.setdefault(portal_id, {})[message_id] = task
        task.add_done_callback(lambda _: self._close(portal_id, message_id, task))

    def may_pass(self, portal_id: PortalId, message_ids: Iterable[WaMessageId]) -> bool:
        """Whether something that only concerns these messages can be handled before all others are recorded."""
        underway = self._open.get(portal_id)
        return not underway or (len(underway) < MOST_PER_CHAT and underway.keys().isdisjoint(message_ids))

    async def settled(self, portal_id: PortalId) -> None:
        """Wait until all of a chat is recorded; StoreUnavailable when that takes too long."""
        underway = self._open.get(portal_id)
        if not underway:
            return
        _, late = await asyncio.wait(underway.values(), timeout=PATIENCE_SECONDS)
        if late:
            raise StoreUnavailable("Messages of this chat cannot be recorded at the moment.")

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    async def idle(self) -> None:
        """Wait until everything is recorded."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self, *, seconds: float) -> None:
        """Give what is under way some time; the rest comes again at the next start."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(
        self, write: Callable[[], Awaitable[None]], on_recorded: Callable[[], None], clock: Clock
    ) -> None:
        backoff = retry_backoff()
        while True:
            try:
                await write()
                break
            except StoreUnavailable:
                log.warning("a message has to wait to be recorded: the database is away")
            except Exception:
                # A fault of ours would repeat for ever; the message is in its room.
                log.exception("a message could not be recorded")
                break
            await clock.sleep(backoff.next_seconds())
        on_recorded()

    def _close(self, portal_id: PortalId, message_id: WaMessageId, task: asyncio.Task[None]) -> None:
        underway = self._open.get(portal_id, {})
        if underway.get(message_id) is task:
            del underway[message_id]
        if not underway:
            self._open.pop(portal_id, None)
