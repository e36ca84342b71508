"""Brings the past of accounts into rooms: when a phone hands it over, and when somebody asks for more of it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec

from mautrix_whatsapp_py.bridge.backfill.board import Boards
from mautrix_whatsapp_py.bridge.backfill.collect import collect_jobs, fetch_open
from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps
from mautrix_whatsapp_py.bridge.backfill.fill import Fill, FillJob
from mautrix_whatsapp_py.bridge.backfill.late_files import LateFiles
from mautrix_whatsapp_py.bridge.backfill.pace import MOST
from mautrix_whatsapp_py.bridge.lanes import retry_backoff
from mautrix_whatsapp_py.errors import MatrixError, StoreError, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxUserId, login_tag
from mautrix_whatsapp_py.model.backfill import BackfillRun, RunState
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.model.wa_history import WaHistoryFigures
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

FIRST_CHUNK_SECONDS: Final = 15.0
"""How long after linking, or after a start, new chats wait for their past to be announced."""
PATIENCE_SECONDS: Final = 40.0
"""How long the newest chats wait for a phone that goes on sending: they are to appear within a minute."""
MAX_HELD: Final = 128
"""So many events may wait for the phone to have handed over everything; a session runs only so far ahead."""
TICK_SECONDS: Final = 1.0
PURGE_EVERY_SECONDS: Final = 3600.0
_PASSING = (MatrixError, StoreError, WhatsAppError)


class Backfill:
    """One piece of work per account at a time."""

    def __init__(self, deps: BackfillDeps) -> None:
        self.deps = deps
        self._talk = deps.talk
        self.boards = Boards(deps)
        self._began_s = deps.talk.clock.monotonic()
        self._checked: set[LoginId] = set()
        self._woken: dict[LoginId, None] = {}
        self._jobs: dict[LoginId, deque[FillJob]] = {}
        self._running: dict[LoginId, asyncio.Task[None]] = {}
        self._cancelled: set[LoginId] = set()
        self._half_full: dict[LoginId, set[PortalId]] = {}
        """Chats that an earlier process had begun with."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._purge_at_s = 0.0
        if deps.settings.is_enabled:
            deps.talk.gate.bind(
                on_knock=self._on_knock,
                on_chunk=self._on_chunk,
                on_live=deps.pace.note_live,
                is_new=self._is_new,
            )

    # Life

    async def load(self) -> None:
        """Close the chats whose rooms are half full; before any event."""
        if self.deps.settings.is_enabled:
            for login_id, portal_id in await self._talk.store.read(self._talk.rows.backfills.get_open_chats):
                self._talk.gate.close(portal_id)
                self._half_full.setdefault(login_id, set()).add(portal_id)

    def on_state(self, login: Login, _state: WaState) -> None:
        """A link's state changed: its session may be there to be asked."""
        self._wake(login.id)

    async def watch(self) -> None:
        """Begin what is to be begun; runs for ever."""
        while True:
            self.tick()
            await self._talk.clock.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Look at what waits."""
        self._talk.gate.reconsider()
        for login_id in list(self._woken):
            login = self._talk.logins.get(login_id)
            if login is not None and login_id not in self._running:
                del self._woken[login_id]
                self._start(login)
        if self._talk.clock.monotonic() >= self._purge_at_s:
            self._purge_at_s = self._talk.clock.monotonic() + PURGE_EVERY_SECONDS
            spawn(self._purge_all(), name="purge history", tasks=self._tasks)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop; the next process goes on where this one was."""
        await end_all(self._tasks)

    async def cancel(self, user: MxUserId) -> bool:
        """Stop what is under way for a user; whether there was something."""
        running = [login for login in self._talk.logins.of_user(user) if login.id in self._jobs]
        for login in running:
            self._cancelled.add(login.id)
        await asyncio.gather(*(self._running[login.id] for login in running), return_exceptions=True)
        return bool(running)

    def begin_now(self, login: Login) -> None:
        """What was asked for is ready to be brought."""
        self._wake(login.id)
        self.tick()

    async def fetch_figures(self, login: Login) -> WaHistoryFigures:
        """What is stored of an account; raises WhatsAppError."""
        return await self.deps.require_history(login.id).fetch_figures()

    # What others tell

    def _is_new(self, login: Login) -> bool:
        """Whether it is too early to know that nothing of an account's past is on its way."""
        clock = self._talk.clock
        if login.id not in self._checked and clock.monotonic() - self._began_s < FIRST_CHUNK_SECONDS:
            return True
        run = self.boards.get(login.id)
        has_begun = run is not None and run.started_at >= login.linked_at
        return not has_begun and (clock.now() - login.linked_at).total_seconds() < FIRST_CHUNK_SECONDS

    def _on_chunk(self, login_id: LoginId) -> None:
        self._talk.gate.expect(login_id)
        self._wake(login_id)

    def _on_knock(self, portal_id: PortalId) -> None:
        """Somebody writes in a chat: it comes next."""
        for jobs in self._jobs.values():
            for job in [one for one in jobs if one.portal_id == portal_id]:
                jobs.remove(job)
                jobs.appendleft(job)

    def _wake(self, login_id: LoginId) -> None:
        if self.deps.settings.is_enabled:
            self._woken[login_id] = None

    # One account

    def _start(self, login: Login) -> None:
        name = f"history:{login_tag(login.id)}"
        task = self._running[login.id] = spawn(self._run(login), name=name, tasks=self._tasks)
        task.add_done_callback(lambda _: self._running.pop(login.id, None))

    async def _run(self, login: Login) -> None:
        backoff = retry_backoff()
        while self._talk.logins.get(login.id) is not None:
            try:
                if not await self._work(login):
                    break
                backoff.reset()
            except _PASSING as error:
                log.info("history of login %s has to wait: %s", login_tag(login.id), type(error).__name__)
                if login.id not in self._jobs and not await self._has_session(login):
                    # The next news of its link wakes it.
                    break
                await self._talk.clock.sleep(backoff.next_seconds())
        self._jobs.pop(login.id, None)
        self._talk.gate.end_expecting(login.id)

    async def _has_session(self, login: Login) -> bool:
        client = self._talk.network.get_client(login.id)
        return client is not None and client.state.is_usable

    async def _work(self, login: Login) -> bool:
        """Bring what waits; whether to look again."""
        figures = await self.fetch_figures(login)
        run = await self.boards.load(login)
        if run is not None and run.state is RunState.CANCELLED and not figures.wanted:
            # Its files stay away too, until somebody asks for more.
            figures = msgspec.structs.replace(figures, files=0)
        if not _has_work(figures) and not await fetch_open(login, self.deps):
            self._checked.add(login.id)
            for portal_id in self._half_full.pop(login.id, ()):
                self._talk.gate.open(portal_id)
            if run is not None and run.state is RunState.RUNNING:
                await self._end(login, figures)
            elif await self.boards.get_untold(login, figures):
                # What is whole may follow, and is told of with it.
                figures = await self._await_rest(login, figures)
                if _has_work(figures):
                    return True
                await self.boards.tell_problems(login, figures)
            return False
        self._talk.gate.expect(login.id)
        self._checked.add(login.id)
        figures = await self._await_rest(login, figures)
        is_cancelled = run is not None and run.state is RunState.CANCELLED and not figures.wanted
        jobs = await collect_jobs(login, self.deps, is_open=not is_cancelled)
        if jobs or (figures.files and not is_cancelled):
            await self._bring(login, jobs, figures)
        self._talk.gate.end_expecting(login.id)
        return True

    async def _await_rest(self, login: Login, figures: WaHistoryFigures) -> WaHistoryFigures:
        """Wait until the phone has sent nothing more for a while, or has taken too long, or too much waits."""
        clock, wait = self._talk.clock, self.deps.settings.wait
        until_s = clock.monotonic() + PATIENCE_SECONDS
        while figures.is_unpacking or (figures.newest_chunk_at and clock.now() - figures.newest_chunk_at < wait):
            is_urgent = clock.monotonic() >= until_s or self._talk.gate.count_held(login.id) > MAX_HELD
            if is_urgent and not figures.is_unpacking:
                break
            await clock.sleep(TICK_SECONDS)
            figures = await self.fetch_figures(login)
        return figures

    async def _bring(self, login: Login, jobs: Sequence[FillJob], figures: WaHistoryFigures) -> None:
        await self.boards.begin(login)
        for job in jobs:
            portal = await self._talk.portals.get(job.portal_id)
            if portal is not None and portal.room_id is None:
                self._talk.gate.close(portal.id)
        knocked = [job for job in jobs if self._talk.gate.is_knocked(job.portal_id)]
        queue = self._jobs[login.id] = deque([*knocked, *(job for job in jobs if job not in knocked)])
        self._talk.gate.end_expecting(login.id)
        with_totals = partial(_with_totals, jobs, figures, self.deps.settings.max_messages)
        await self.boards.change(login.id, with_totals)
        await self.boards.show(login)
        await asyncio.gather(*(self._fill_chats(login, queue) for _ in range(min(MOST, len(queue)))))
        await self._bring_files(login)
        await self._end(login, await self.fetch_figures(login))

    async def _fill_chats(self, login: Login, queue: deque[FillJob]) -> None:
        while queue:
            await self._fill_chat(queue.popleft())
            await self.boards.show(login)

    async def _fill_chat(self, job: FillJob) -> None:
        """Until it is done: its room must not stay half full, and what waits for it must not wait for ever."""
        login_id, backoff = job.login.id, retry_backoff()
        count = partial(self.boards.count, login_id)

        while self._talk.logins.get(login_id) is not None:
            try:
                await Fill(job, self.deps, count=count, is_cancelled=partial(self._is_cancelled, login_id)).run()
                break
            except _PASSING as error:
                log.info("a chat's history has to wait: %s", type(error).__name__)
            except Exception:
                # A fault of ours would repeat for ever; the chat goes on without its past.
                log.exception("a chat's history could not be brought over")
                await count(chats=1)
                break
            await self._talk.clock.sleep(backoff.next_seconds())
        self._talk.gate.open(job.portal_id)

    async def _bring_files(self, login: Login) -> None:
        figures = await self.fetch_figures(login)
        if not figures.files:
            return
        await self.boards.change(login.id, lambda run: replace(run, files_total=run.files_done + figures.files))

        async def on_file() -> None:
            await self.boards.count(login.id, files=1)
            spawn(self.boards.show(login), name="history progress", tasks=self._tasks)

        await LateFiles(
            login, self.deps, on_file=on_file, is_cancelled=partial(self._is_cancelled, login.id)
        ).run()

    async def _end(self, login: Login, figures: WaHistoryFigures) -> None:
        is_cancelled = login.id in self._cancelled
        self._cancelled.discard(login.id)
        self._jobs.pop(login.id, None)
        if is_cancelled:
            await self.deps.require_history(login.id).unplan()
        await self._purge(login)
        state = RunState.CANCELLED if is_cancelled else RunState.DONE
        await self.boards.end(login, state, figures)

    def _is_cancelled(self, login_id: LoginId) -> bool:
        return login_id in self._cancelled

    # Forgetting

    async def _purge_all(self) -> None:
        for login_id in self._talk.network.get_logins():
            login = self._talk.logins.get(login_id)
            if login is None or login.id in self._jobs:
                continue
            try:
                await self._purge(login)
            except WhatsAppError as error:
                log.info("history of login %s is not purged now: %s", login_tag(login.id), error.code)

    async def _purge(self, login: Login) -> None:
        """Forget what nobody has asked for in time."""
        await self.deps.require_history(login.id).purge(self._talk.clock.now() - self.deps.settings.keep)


def _has_work(figures: WaHistoryFigures) -> bool:
    return bool(figures.is_unpacking or figures.new or figures.wanted or figures.files)


def _with_totals(
    jobs: Sequence[FillJob], figures: WaHistoryFigures, max_messages: int, run: BackfillRun
) -> BackfillRun:
    """The work that is ahead, on top of what is done."""
    expected = sum(
        job.chat.wanted + (job.chat.new if max_messages < 0 else min(job.chat.new, max_messages)) for job in jobs
    )
    return replace(
        run,
        chats_total=run.chats_done + len(jobs),
        messages_total=run.messages_done + expected,
        files_total=run.files_done + figures.files,
    )
