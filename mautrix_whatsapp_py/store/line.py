"""SQLite without a thread's turn per statement: whole transactions on one thread, many in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Executable

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.tx import Row, Tx, Work

MOST_AT_ONCE = 64
"""How many share a commit: the first of them waits for the last."""
PATIENCE_SECONDS = 0.05
Turn = Callable[[], AbstractAsyncContextManager[None]]


class LineTx(Tx):
    """A transaction on the thread it runs on: its statements are done when they return."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect_name = connection.dialect.name
        self.has_failed = False

    async def execute(self, statement: Executable, rows: Row | Sequence[Row] | None = None) -> CursorResult[Any]:
        """See Tx."""
        try:
            with translated():
                return self._connection.execute(statement, rows)
        except BaseException:
            self.has_failed = True
            raise


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class Line:
    """One connection on a thread of its own. Whoever comes while it is busy shares the next transaction."""

    def __init__(self, engine: Engine, turn: Turn, *, name: str) -> None:
        self._engine = engine
        self._turn = turn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: Connection | None = None
        self._waiting: list[_Job] = []
        self._runner: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, work: Work[Any], *, is_patient: bool = False) -> Any:
        """What the work returns, once it is committed; whoever is cancelled under way may have committed.

        Patient work waits a moment for other work, whose commit it then shares.
        """
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future())
        self._waiting.append(job)
        if not is_patient:
            self.hurry()
        elif self._timer is None:
            self._timer = loop.call_later(PATIENCE_SECONDS, self.hurry)
        return await job.future

    def hurry(self) -> None:
        """Let nobody wait for company any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._runner is None and self._waiting:
            self._runner = asyncio.create_task(self._serve(), name="store-line")

    async def close(self) -> None:
        """Finish what waits, then close the connection."""
        self.hurry()
        if self._runner is not None:
            await asyncio.wait({self._runner})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._dispose)
        self._thread.shutdown(wait=False)

    def _dispose(self) -> None:
        self._let_go()
        self._engine.dispose()

    async def _serve(self) -> None:
        try:
            while self._waiting:
                jobs, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                jobs = [job for job in jobs if not job.future.done()]
                if jobs:
                    _answer(jobs, await self._attempt([job.work for job in jobs]))
        finally:
            self._runner = None

    async def _attempt(self, works: Sequence[Work[Any]]) -> Sequence[object]:
        try:
            async with self._turn():
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, works)
        except StoreError as error:
            return [_Failed(error)] * len(works)

    def _run(self, works: Sequence[Work[Any]]) -> Sequence[object]:
        """All in one transaction; where that fails each in its own, so that nobody fails with another."""
        try:
            return self._run_together(works)
        except Exception as error:  # noqa: BLE001 handed to whoever asked
            if len(works) == 1:
                return [_Failed(error)]
        return [self._run([work])[0] for work in works]

    def _run_together(self, works: Sequence[Work[Any]]) -> Sequence[object]:
        try:
            with translated():
                if self._connection is None:
                    self._connection = self._engine.connect()
                results = [_run_alone(work, self._connection) for work in works]
                self._connection.commit()
                return results
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Roll back what is open; a connection that cannot even do that is replaced by the pool."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with translated():
                connection.close()


def _run_alone(work: Work[Any], connection: Connection) -> object:
    tx = LineTx(connection)
    result = _finish(work(tx))
    if tx.has_failed:
        raise StoreError("The database refused a part of the work, so nothing of it was stored.")
    return result


def _finish(work: Awaitable[Any]) -> object:
    """The result of a coroutine that waits for nothing."""
    coroutine: Coroutine[Any, Any, object] = _as_coroutine(work)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise TypeError("a transaction waited for something else than its database")


async def _as_coroutine(work: Awaitable[Any]) -> object:
    return await work


def _answer(jobs: Sequence[_Job], results: Sequence[object]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():
            continue
        if isinstance(result, _Failed):
            job.future.set_exception(result.error)
        else:
            job.future.set_result(result)
