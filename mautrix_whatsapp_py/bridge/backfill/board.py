"""Shows how far the past of an account has come, in one notice of the management room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.convert.history_words import Ending, tell_end, tell_problem, tell_progress
from mautrix_whatsapp_py.errors import MatrixError, MatrixRefused
from mautrix_whatsapp_py.ids import LoginId, MxTxnId
from mautrix_whatsapp_py.model.backfill import BackfillRun, RunState
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_history import WaHistoryFigures
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tx import Work

log = logging.getLogger(__name__)

Change: TypeAlias = Callable[[BackfillRun], BackfillRun]
EDIT_EVERY_SECONDS: Final = 5.0
END_PAUSES_SECONDS: Final = (5.0, 20.0, 60.0, 300.0)
"""What it came to is said again after these, where the homeserver is away."""


@dataclass(slots=True)
class _Shown:
    """What a notice says and since when."""

    text: str = ""
    next_s: float = 0.0
    began_s: float = 0.0
    began_with: int = 0
    is_showing: bool = False
    first_text: str = ""
    """What the first notice may say already, though nobody has heard that it was sent."""


class Boards:
    """The work on every account's past, in memory, in the database and on show."""

    def __init__(self, deps: BackfillDeps) -> None:
        self._deps = deps
        self._runs: dict[LoginId, BackfillRun] = {}
        self._shown: dict[LoginId, _Shown] = {}
        self._turns: dict[LoginId, asyncio.Lock] = {}
        self._edits = 0

    def get(self, login_id: LoginId) -> BackfillRun | None:
        """Where the work on an account stands, as far as this process has seen."""
        return self._runs.get(login_id)

    async def load(self, login: Login) -> BackfillRun | None:
        """Where the work on an account stands since it was linked."""
        run = self._runs.get(login.id)
        if run is None:
            talk = self._deps.talk
            run = await talk.store.read(lambda tx: talk.rows.backfills.get_run(tx, login.id))
        if run is None or run.started_at < login.linked_at:
            return None
        self._runs[login.id] = run
        return run

    async def begin(self, login: Login) -> BackfillRun:
        """Go on with what is under way, or begin anew."""
        run = await self.load(login)
        first_text = "" if run is None or run.state is not RunState.RUNNING else "of a former process"
        if run is None or run.state is not RunState.RUNNING:
            run = BackfillRun(login_id=login.id, state=RunState.RUNNING, started_at=self._deps.talk.clock.now())
            self._runs[login.id] = run
            await self.change(login.id, lambda run: run)
        clock = self._deps.talk.clock
        self._shown[login.id] = _Shown(
            began_s=clock.monotonic(), began_with=run.messages_done, first_text=first_text
        )
        return run

    async def change(self, login_id: LoginId, change: Change, *, also: Work[None] | None = None) -> None:
        """Remember where the work stands now, in one transaction with what else is to be written."""
        # Several chats come at once: each counts on from what the others have left.
        async with self._turns.setdefault(login_id, asyncio.Lock()):
            run = change(self._runs[login_id])
            await self._deps.talk.store.write(partial(self._write, run, also))
            self._runs[login_id] = run

    async def count(
        self,
        login_id: LoginId,
        *,
        chats: int = 0,
        messages: int = 0,
        files: int = 0,
        also: Work[None] | None = None,
    ) -> None:
        """So much more is done."""

        def add(run: BackfillRun) -> BackfillRun:
            return replace(
                run,
                chats_done=run.chats_done + chats,
                messages_done=run.messages_done + messages,
                files_done=run.files_done + files,
            )

        await self.change(login_id, add, also=also)

    async def _write(self, run: BackfillRun, also: Work[None] | None, tx: Tx) -> None:
        await self._deps.talk.rows.backfills.put_run(tx, run)
        if also is not None:
            await also(tx)

    async def show(self, login: Login) -> None:
        """Show how far it is, every few seconds at most."""
        shown, now_s = self._shown.setdefault(login.id, _Shown()), self._deps.talk.clock.monotonic()
        if shown.is_showing or now_s < shown.next_s:
            return
        shown.next_s = now_s + EDIT_EVERY_SECONDS
        run = self._runs[login.id]
        await self._say(login, shown, tell_progress(run, login.number, self._seconds_left(run, shown)))

    async def end(self, login: Login, state: RunState, figures: WaHistoryFigures) -> None:
        """Say what it came to."""
        await self.change(login.id, lambda run: replace(run, state=state))
        run = self._runs[login.id]
        ending = Ending(
            number=login.number,
            kept=figures.kept,
            keep_days=self._deps.settings.keep.days,
            problems=await self.get_untold(login, figures),
        )
        shown = self._shown.setdefault(login.id, _Shown())
        for pause_s in (0.0, *END_PAUSES_SECONDS):
            if pause_s:
                await self._deps.talk.clock.sleep(pause_s)
            if await self._say(login, shown, tell_end(run, ending)):
                await self._note_told(login, figures)
                return

    async def get_untold(self, login: Login, figures: WaHistoryFigures) -> tuple[str, ...]:
        """What was wrong with chunks of the present link that its user does not know of."""
        talk = self._deps.talk
        told = await talk.store.read(lambda tx: talk.rows.backfills.get_told(tx, login))
        return figures.problems[: max(0, figures.problem_count - told)]

    async def tell_problems(self, login: Login, figures: WaHistoryFigures) -> None:
        """Tell of chunks of which nothing could be used."""
        text = "\n".join(map(tell_problem, await self.get_untold(login, figures)))
        room_id = await self._deps.management.ensure(login.user)
        linked_s, matrix = int(login.linked_at.timestamp()), self._deps.matrix
        txn_id = MxTxnId(f"history-{login.id}-{linked_s}-problems-{figures.problem_count}")
        try:
            await matrix.send_notice(room_id, to_notice(text), sender=matrix.bot, txn_id=txn_id)
        except MatrixRefused as error:
            log.info("what was damaged of history could not be told: %s", error.errcode)
        await self._note_told(login, figures)

    async def _note_told(self, login: Login, figures: WaHistoryFigures) -> None:
        if figures.problem_count:
            talk = self._deps.talk
            await talk.store.write(lambda tx: talk.rows.backfills.put_told(tx, login, figures.problem_count))

    def _seconds_left(self, run: BackfillRun, shown: _Shown) -> float | None:
        took_s, done = self._deps.talk.clock.monotonic() - shown.began_s, run.messages_done - shown.began_with
        if done <= 0 or took_s < EDIT_EVERY_SECONDS:
            return None
        return max(0, run.messages_total - run.messages_done) * took_s / done

    async def _say(self, login: Login, shown: _Shown, text: str) -> bool:
        """False when it may be possible later."""
        if text == shown.text:
            return True
        shown.is_showing = True
        try:
            await self._send(login, shown, text)
            shown.text = text
        except MatrixError as error:
            log.info("how far history is could not be shown: %s", error.errcode)
            return isinstance(error, MatrixRefused)
        finally:
            shown.is_showing = False
        return True

    async def _send(self, login: Login, shown: _Shown, text: str) -> None:
        if self._runs[login.id].event_id is None:
            # Sent once even when nobody lived to remember it, or heard of it; then it may say something else.
            says_other = shown.first_text not in ("", text)
            shown.first_text = shown.first_text or text
            await self._send_notice(login, text, "first")
            if not says_other:
                return
        # No edit is ever the same.
        self._edits += 1
        await self._send_notice(login, text, f"{self._deps.talk.clock.now().timestamp():.3f}-{self._edits}")

    async def _send_notice(self, login: Login, text: str, name: str) -> None:
        run, matrix = self._runs[login.id], self._deps.matrix
        room_id = run.room_id or await self._deps.management.ensure(login.user)
        notice = replace(to_notice(text), edits=run.event_id)
        began_ms = int(run.started_at.timestamp() * 1000)
        txn_id = MxTxnId(f"history-{login.id}-{began_ms}-{name}")
        event_id = await matrix.send_notice(room_id, notice, sender=matrix.bot, txn_id=txn_id)
        if run.event_id is None:
            await self.change(login.id, lambda run: replace(run, room_id=room_id, event_id=event_id))
