"""Brings what the bridge knows of an account up to date, in the background, with its progress in one notice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import MatrixError, StoreError, WhatsAppError
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import MxNotice
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import Clock, MatrixApi
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.syncs import SyncRecord, SyncRecords
from mautrix_whatsapp_py.tasks import spawn

log = logging.getLogger(__name__)

EDIT_EVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCount:
    """What a part of a synchronisation came to."""

    seen: int
    changed: int
    note: str = ""


OnProgress = Callable[[int, int], None]
"""How many are done of how many."""


class SyncPart(Protocol):
    """One thing that is brought up to date; doing it twice changes nothing the second time."""

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """Do it; thorough makes rooms for everything as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """Who wants what, and where they are told."""

    login: Login
    parts: tuple[str, ...]
    room_id: MxRoomId
    event_id: MxEventId
    user: MxUserId
    is_thorough: bool = False


@dataclass(slots=True)
class _Board:
    """The notice that shows how far it is."""

    lines: dict[str, str] = field(default_factory=dict)
    event_id: MxEventId | None = None
    shown: str = ""
    edits: int = 0
    runs: int = 0

    def text(self, head: str) -> str:
        return "\n".join([head, *(f"• {name}: {line}" for name, line in self.lines.items())])

    def next_txn_id(self, request: SyncRequest) -> MxTxnId:
        """The first notice is the same in every run; edits are those of their run."""
        self.edits += 1
        what = f"{self.runs}-{self.edits}" if self.event_id is not None else "first"
        return MxTxnId(f"sync-{request.event_id}-{what}")


class Syncing:
    """One synchronisation per user at a time; what a crash interrupts goes on when its link is up."""

    def __init__(
        self,
        *,
        parts: Mapping[str, SyncPart],
        matrix: MatrixApi,
        clock: Clock,
        store: Store,
    ) -> None:
        self._parts = dict(parts)
        self._matrix = matrix
        self._clock = clock
        self._store = store
        self._rows = SyncRecords()
        self._interrupted: dict[MxUserId, SyncRecord] = {}
        self._running: dict[MxUserId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    @property
    def names(self) -> Sequence[str]:
        """What can be brought up to date."""
        return tuple(self._parts)

    async def load(self, logins: Logins) -> None:
        """Read what an earlier run left, which goes on when its link is up; before the first event."""
        logins.add_listener(self.on_state)
        async with self._store.reading() as tx:
            self._interrupted = dict(await self._rows.get_all(tx))

    def on_state(self, login: Login, state: WaState) -> None:
        """A link's state changed: what was interrupted may go on."""
        record = self._interrupted.get(login.user)
        if record is None or record.login_id != login.id or not state.is_usable:
            return
        del self._interrupted[login.user]
        request = SyncRequest(
            login=login,
            parts=record.parts,
            room_id=record.room_id,
            event_id=record.event_id,
            user=login.user,
            is_thorough=record.is_thorough,
        )
        self._spawn(request, record)

    def is_known(self, event_id: MxEventId, user: MxUserId) -> bool:
        """Whether what somebody asks for is what a crash interrupted."""
        record = self._interrupted.get(user)
        return record is not None and record.event_id == event_id

    async def start(self, request: SyncRequest) -> bool:
        """Begin; False when one of the same user is under way."""
        if request.user in self._running:
            return False
        self._interrupted.pop(request.user, None)
        record = SyncRecord(
            login_id=request.login.id,
            parts=request.parts,
            room_id=request.room_id,
            event_id=request.event_id,
            is_thorough=request.is_thorough,
        )
        await self._keep(request.user, record)
        self._spawn(request, record)
        return True

    async def cancel(self, user: MxUserId) -> bool:
        """Stop what a user has under way; whether there was something."""
        was_interrupted = self._interrupted.pop(user, None) is not None
        task = self._running.get(user)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif was_interrupted:
            await self._forget(user)
        return task is not None or was_interrupted

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop everything for now; the next run goes on with it."""
        await asyncio.gather(*self.end(), return_exceptions=True)

    def end(self) -> Sequence[asyncio.Task[None]]:
        """Begin to stop; what is to be waited for."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        return tuple(self._tasks)

    def _spawn(self, request: SyncRequest, record: SyncRecord) -> None:
        name = f"sync:{login_tag(request.login.id)}"
        task = spawn(self._run(request, record), name=name, tasks=self._tasks)
        self._running[request.user] = task
        task.add_done_callback(lambda _: self._running.pop(request.user, None))

    async def _run(self, request: SyncRequest, record: SyncRecord) -> None:
        record = msgspec.structs.replace(record, runs=record.runs + 1)
        board = _Board(lines=dict(record.lines), runs=record.runs)
        head = f"Synchronising {request.login.number}"
        try:
            await self._keep(request.user, record)
            for name in request.parts:
                if name in record.lines:
                    continue
                count = await self._do(name, request, board, head)
                changed = record.changed + (count.changed if count is not None else 0)
                record = msgspec.structs.replace(record, lines=dict(board.lines), changed=changed)
                await self._keep(request.user, record)
        except asyncio.CancelledError:
            if not self._is_stopping:
                await self._show(request, board, board.text(f"{head}: stopped."))
                await self._forget(request.user)
            raise
        except StoreError as error:
            # It stays as far as it was recorded, and goes on with the next start.
            log.warning("a synchronisation has to wait for the database: %s", type(error).__name__)
            return
        end = f"{record.changed} changed" if record.changed else "everything was up to date"
        await self._show(request, board, board.text(f"Synchronised {request.login.number}: {end}."))
        await self._forget(request.user)

    async def _keep(self, user: MxUserId, record: SyncRecord) -> None:
        async with self._store.transaction() as tx:
            await self._rows.put(tx, user, record)

    async def _forget(self, user: MxUserId) -> None:
        async with self._store.transaction() as tx:
            await self._rows.drop(tx, user)

    async def _do(self, name: str, request: SyncRequest, board: _Board, head: str) -> SyncCount | None:
        board.lines[name] = "…"
        pulse = _Pulse(lambda: self._show(request, board, board.text(f"{head} …")), self._clock, self._tasks)
        await pulse.beat()

        def on_progress(done: int, total: int) -> None:
            board.lines[name] = f"{done} of {total}"
            pulse.touch()

        try:
            count = await self._parts[name](request.login, on_progress, is_thorough=request.is_thorough)
        except (WhatsAppError, MatrixError, StoreError) as error:
            tag, kind = login_tag(request.login.id), type(error).__name__
            log.warning("synchronising %s of login %s failed: %s", name, tag, kind)
            board.lines[name] = f"⚠️ {_sentence(error)}"
            return None
        finally:
            await pulse.rest()
        note = f"; {count.note}" if count.note else ""
        board.lines[name] = f"{count.seen} looked at, {count.changed} changed{note}"
        return count

    async def _show(self, request: SyncRequest, board: _Board, text: str) -> None:
        if text == board.shown:
            return
        board.shown = text
        base = to_notice(text)
        notice = MxNotice(body=base.body, html=base.html, edits=board.event_id)
        txn_id = board.next_txn_id(request)
        try:
            event_id = await self._matrix.send_notice(
                request.room_id, notice, sender=self._matrix.bot, txn_id=txn_id
            )
        except MatrixError as error:
            log.info("the progress of a synchronisation was not shown: %s", error.errcode)
            return
        board.event_id = board.event_id or event_id


class _Pulse:
    """Shows progress at most so often, and never while it is being shown."""

    def __init__(self, show: Callable[[], Awaitable[None]], clock: Clock, tasks: set[asyncio.Task[None]]) -> None:
        self._show = show
        self._clock = clock
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._next_s = 0.0

    def touch(self) -> None:
        """Something moved."""
        is_busy = self._task is not None and not self._task.done()
        if not is_busy and self._clock.monotonic() >= self._next_s:
            self._task = spawn(self.beat(), name="sync progress", tasks=self._tasks)

    async def beat(self) -> None:
        """Show how far it is."""
        self._next_s = self._clock.monotonic() + EDIT_EVERY_SECONDS
        await self._show()

    async def rest(self) -> None:
        """Wait until the last one is shown."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


def _sentence(error: WhatsAppError | MatrixError | StoreError) -> str:
    if isinstance(error, WhatsAppError):
        return "WhatsApp could not be asked. Send `ping` to see how the link is doing, then try again."
    if isinstance(error, MatrixError):
        return "the homeserver did not do its part. Try again in a minute."
    return "the database did not do its part. Try again in a minute."
