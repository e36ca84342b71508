"""Tells webhooks what was noted for them: in order per chat, again until it is taken, none waiting for another."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from mautrix_whatsapp_py.channel.hooks import Hook, HookBook
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.model.channel import HookEvent
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.channel_hooks import HookRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.tasks import end_all

log = logging.getLogger(__name__)

MAX_AT_ONCE: Final = 8
"""Chats of one webhook that are told at the same time."""
_TIMEOUT: Final = ClientTimeout(total=20, sock_connect=10)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)
_KEPT_FOR: Final = timedelta(days=30)
_STORE_REST_SECONDS: Final = 5.0
SIGNATURE, EVENT, EVENT_ID = "X-Channel-Signature", "X-Channel-Event", "X-Channel-Event-Id"

Post = Callable[[Hook, HookEvent], Awaitable[str]]
"""What went wrong; empty when it was taken."""


def sign(secret: str, body: bytes) -> str:
    """What proves that a body is ours."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def wait_of(attempts: int) -> timedelta:
    """How long after so many failures it is tried again."""
    grown: timedelta = _FIRST_WAIT * 2 ** min(attempts, 20)
    return min(_LONGEST_WAIT, grown)


async def post(session: ClientSession, hook: Hook, event: HookEvent) -> str:
    """One try."""
    headers = {
        **hook.keys.headers,
        "Content-Type": "application/json",
        SIGNATURE: sign(hook.keys.secret, event.body),
        EVENT: event.kind,
        EVENT_ID: event.event_id,
    }
    try:
        # A redirect is no acknowledgement, and whom it names was not configured.
        async with session.post(
            hook.keys.url, data=event.body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
        ) as response:
            return "" if 200 <= response.status < 300 else f"it answered {response.status}"
    except TimeoutError:
        return "it did not answer in time"
    except (ClientError, OSError, ValueError) as error:
        return f"it could not be reached ({type(error).__name__})"


class Postman:
    """Tells all webhooks; what is not told when the program ends is told after its next start."""

    def __init__(self, book: HookBook, *, store: Store, clock: Clock, max_age: timedelta, post: Post) -> None:
        self._book = book
        self._store = store
        self._clock = clock
        self._max_age = max_age
        self._post = post
        self._rows = HookRows()
        self._news = {hook.name: asyncio.Event() for hook in book.hooks}
        book.add_listener(self._on_event)

    async def run(self) -> None:
        """Tell for ever."""
        async with asyncio.TaskGroup() as group:
            for hook in self._book.hooks:
                group.create_task(self._serve(hook), name="webhook")
            await asyncio.Event().wait()

    async def prune(self) -> None:
        """Forget what was given up long ago."""
        before = self._clock.now() - _KEPT_FOR
        await self._store.write(lambda tx: self._rows.prune(tx, before))

    def _on_event(self) -> None:
        for news in self._news.values():
            news.set()

    async def _serve(self, hook: Hook) -> None:
        running: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._news[hook.name].clear()
                wait_seconds = await self._start(hook, running)
                await self._wait(hook, running, wait_seconds)
        finally:
            await end_all(running.values())

    async def _start(self, hook: Hook, running: dict[str, asyncio.Task[None]]) -> float | None:
        """Begin to tell what is due; when the next is due, None when there is none."""
        room = MAX_AT_ONCE - len(running)
        if room <= 0:
            return None
        try:
            limit = MAX_AT_ONCE + len(running) + 1
            heads = await self._store.read(lambda tx: self._rows.get_heads(tx, hook.name, limit=limit))
        except StoreError as error:
            log.warning("webhooks have to wait for the database: %s", error.text)
            return _STORE_REST_SECONDS
        now = self._clock.now()
        free = [event for event in heads if event.lane not in running]
        for event in [event for event in free if event.next_at <= now][:room]:
            running[event.lane] = asyncio.create_task(self._tell(hook, event))
        later = [event.next_at for event in free if event.next_at > now]
        return (min(later) - now).total_seconds() if later else None

    async def _wait(self, hook: Hook, running: dict[str, asyncio.Task[None]], wait_seconds: float | None) -> None:
        """Until something changed that may be told now."""
        own: list[asyncio.Task[Any]] = [asyncio.create_task(self._news[hook.name].wait())]
        if wait_seconds is not None:
            own.append(asyncio.create_task(self._clock.sleep(wait_seconds)))
        try:
            await asyncio.wait([*own, *running.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in own:
                task.cancel()
        for lane in [lane for lane, task in running.items() if task.done()]:
            running.pop(lane).result()

    async def _tell(self, hook: Hook, event: HookEvent) -> None:
        """One try, and what comes of it."""
        error = await self._post(hook, event)
        now = self._clock.now()
        try:
            if not error:
                await self._store.write(lambda tx: self._rows.drop(tx, event.seq))
            elif now - event.made_at >= self._max_age:
                log.warning("an event for webhook %s is given up: %s", hook.name, error)
                await self._store.write(lambda tx: self._rows.give_up(tx, event.seq, error=error))
            else:
                log.info("webhook %s does not take an event: %s", hook.name, error)
                next_at = now + wait_of(event.attempts)
                await self._store.write(lambda tx: self._rows.put_off(tx, event.seq, next_at=next_at, error=error))
        except StoreError as problem:
            # It is told again, under the same id.
            log.warning("what became of an event for a webhook is not kept: %s", problem.text)
            await self._clock.sleep(_STORE_REST_SECONDS)
