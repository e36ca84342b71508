"""Messages that have got where they should and are on their way into the database; the next need not wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable

from mautrix_whatsapp_py.bridge.lanes import retry_backoff
from mautrix_whatsapp_py.errors import StoreError, StoreUnavailable
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

MOST_PER_CHAT = 32
PATIENCE_SECONDS = 5.0
"""How long somebody who asks about a chat waits for what is under way, before the database counts as away."""


class Records:
    """Writes rows beside the handlers of a chat. Whoever reads rows of that chat waits for `settled` first."""

    def __init__(self) -> None:
        self._open: dict[PortalId, dict[asyncio.Task[None], frozenset[str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        portal_id: PortalId,
        names: Iterable[str],
        write: Callable[[], Awaitable[None]],
        on_recorded: Callable[[], None],
        *,
        clock: Clock,
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Write until it is done, then say so; an end of the program before that says nothing.

        `then` is what follows, and nobody waits for it. The names are ids under which others may speak of it.
        """
        task = spawn(self._write(write, clock), name="record", tasks=self._tasks)
        self._open.setdefault(portal_id, {})[task] = frozenset(names)

        def close(task: asyncio.Task[None]) -> None:
            self._close(portal_id, task)
            if not task.cancelled() and task.exception() is None:
                on_recorded()
                if then is not None:
                    spawn(_run(then), name="after a record", tasks=self._tasks)

        task.add_done_callback(close)

    def may_pass(self, portal_id: PortalId, names: Collection[str]) -> bool:
        """Whether something that only concerns what has these ids can be handled before all else is recorded."""
        underway = self._open.get(portal_id)
        if not underway:
            return True
        return len(underway) < MOST_PER_CHAT and all(known.isdisjoint(names) for known in underway.values())

    async def settled(self, portal_id: PortalId, store: Store) -> None:
        """Wait until all of a chat is recorded; StoreUnavailable when that takes too long."""
        underway = self._open.get(portal_id)
        if not underway:
            return
        store.hurry()
        _, late = await asyncio.wait(tuple(underway), timeout=PATIENCE_SECONDS)
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
        await end_all(self._tasks)

    async def _write(self, write: Callable[[], Awaitable[None]], clock: Clock) -> None:
        backoff = retry_backoff()
        was_refused = False
        while True:
            try:
                await write()
                break
            except StoreUnavailable:
                log.warning("a message has to wait to be recorded: the database is away")
            except StoreError:
                # What it speaks of may just have gone, as when two people turn out to be one.
                if was_refused:
                    log.exception("a message could not be recorded")
                    break
                was_refused = True
                continue
            except Exception:
                # A fault of ours would repeat for ever; the message is in its room.
                log.exception("a message could not be recorded")
                break
            await clock.sleep(backoff.next_seconds())

    def _close(self, portal_id: PortalId, task: asyncio.Task[None]) -> None:
        underway = self._open.get(portal_id, {})
        underway.pop(task, None)
        if not underway:
            self._open.pop(portal_id, None)


async def _run(call: Callable[[], Awaitable[None]]) -> None:
    await call()
