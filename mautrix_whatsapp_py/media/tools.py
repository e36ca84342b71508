"""Conversion of files, in a process of its own that is there only while there is work."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from mautrix_whatsapp_py.errors import ConversionFailed
from mautrix_whatsapp_py.media.jobs import (
    MAX_LINE_BYTES,
    Bounds,
    ForMatrix,
    ForWhatsApp,
    Job,
    Ready,
    Unready,
    decode_outcome,
    encode_line,
)
from mautrix_whatsapp_py.model.media_ready import ReadyFile, UnreadyReason
from mautrix_whatsapp_py.model.wa_context import WaKind

log = logging.getLogger(__name__)

_WORKER: Final = "mautrix_whatsapp_py.media.worker"
_MARGIN_SECONDS: Final = 10.0
"""How much longer than a job may take its answer is waited for."""
_END_SECONDS: Final = 5.0
_VIDEOS: Final = frozenset({WaKind.VIDEO, WaKind.GIF})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolLimits:
    """What conversions may use."""

    quick: Bounds = field(default_factory=lambda: Bounds(seconds=45.0))
    """Pictures, sound, and looking at anything."""
    slow: Bounds = field(default_factory=lambda: Bounds(seconds=240.0))
    """Videos that phones do not play as they are."""
    at_once: int = 2
    moving_at_once: int = 1
    slow_at_once: int = 1
    """GIFs for Matrix and videos have lines of their own, in which nobody else waits."""
    idle_seconds: float = 60.0
    """How long the worker stays with nothing to do."""


class WorkerTools:
    """Implements MediaTools."""

    def __init__(self, limits: ToolLimits = ToolLimits()) -> None:
        self._limits = limits
        self._quick = asyncio.Semaphore(limits.at_once)
        self._moving = asyncio.Semaphore(limits.moving_at_once)
        self._slow = asyncio.Semaphore(limits.slow_at_once)
        self._numbers = itertools.count(1)
        self._worker: _Worker | None = None
        self._starting = asyncio.Lock()
        self._under_way = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._ends: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    async def prepare_for_matrix(
        self, source: Path, kind: WaKind, into: Path, *, with_waveform: bool = False
    ) -> ReadyFile:
        """See MediaTools."""
        task = ForMatrix(kind=kind, with_waveform=with_waveform)
        async with self._moving if kind is WaKind.GIF else self._quick:
            return await self._do(source, into, task, self._limits.quick)

    async def prepare_for_whatsapp(self, source: Path, kind: WaKind, into: Path, *, max_bytes: int) -> ReadyFile:
        """See MediaTools."""
        task = ForWhatsApp(kind=kind, max_bytes=max_bytes)
        if kind in _VIDEOS:
            async with self._slow:
                return await self._do(source, into, task, self._limits.slow)
        async with self._quick:
            return await self._do(source, into, task, self._limits.quick)

    async def stop(self) -> None:
        """End the worker for good; what it was doing fails."""
        self._is_stopped = True
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()
        await asyncio.gather(*self._ends, return_exceptions=True)

    @property
    def worker_pid(self) -> int | None:
        """The worker's process; None while there is none."""
        return None if self._worker is None or not self._worker.is_alive else self._worker.pid

    async def _do(self, source: Path, into: Path, task: ForMatrix | ForWhatsApp, bounds: Bounds) -> ReadyFile:
        self._under_way += 1
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        try:
            job = Job(number=next(self._numbers), source=str(source), folder=str(into), task=task, bounds=bounds)
            worker = await self._ensure_worker()
            outcome = await worker.do(job)
            if not (worker.is_alive or self._is_stopped) and _has_crashed(outcome):
                # All that was under way ended with the worker, whatever ended it.
                outcome = await (await self._ensure_worker()).do(job)
        finally:
            self._under_way -= 1
            if not self._under_way:
                loop = asyncio.get_running_loop()
                self._idle_timer = loop.call_later(self._limits.idle_seconds, self._rest)
        if isinstance(outcome, Unready):
            log.info("a file was not converted: %s %s", outcome.reason, outcome.detail)
            raise ConversionFailed(outcome.reason)
        return outcome.file

    async def _ensure_worker(self) -> _Worker:
        async with self._starting:
            if self._worker is None or not self._worker.is_alive:
                self._worker = await _Worker.start()
            return self._worker

    def _rest(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            task = asyncio.create_task(worker.end(), name="end the conversion worker")
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)


class _Worker:
    """The process, and who waits for which of its answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Ready | Unready]] = {}
        self._listener = asyncio.create_task(self._listen(), name="listen to the conversion worker")
        self.is_alive = True

    @classmethod
    async def start(cls) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _WORKER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(os.environ),
            limit=MAX_LINE_BYTES,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def do(self, job: Job) -> Ready | Unready:
        """What came of a job; a worker that does not answer is ended."""
        failed = Unready(number=job.number, reason=UnreadyReason.CRASHED)
        if not self.is_alive or self._process.stdin is None:
            return failed
        future: asyncio.Future[Ready | Unready] = asyncio.get_running_loop().create_future()
        self._waiting[job.number] = future
        try:
            self._process.stdin.write(encode_line(job))
            async with asyncio.timeout(job.bounds.seconds + _MARGIN_SECONDS):
                return await future
        except TimeoutError:
            log.warning("the conversion worker does not answer")
            self._kill()
            return Unready(number=job.number, reason=UnreadyReason.TOO_SLOW)
        except OSError:
            return failed
        finally:
            self._waiting.pop(job.number, None)

    async def end(self) -> None:
        """Close its input, which ends it."""
        self.is_alive = False
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()
        await asyncio.gather(self._listener, return_exceptions=True)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                outcome = decode_outcome(line)
                future = self._waiting.get(outcome.number)
                if future is not None and not future.done():
                    future.set_result(outcome)
        except (ValueError, OSError, msgspec.MsgspecError):
            log.warning("the conversion worker says something strange")
            self._kill()
        self.is_alive = False
        for number, future in self._waiting.items():
            if not future.done():
                future.set_result(Unready(number=number, reason=UnreadyReason.CRASHED))
        await self._process.wait()

    def _kill(self) -> None:
        self.is_alive = False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def _has_crashed(outcome: Ready | Unready) -> bool:
    return isinstance(outcome, Unready) and outcome.reason is UnreadyReason.CRASHED


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Only what finding the libraries needs: no tokens, no addresses."""
    kept = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
    # One arena: each further one would count for 64 MB of address space.
    return {name: ours[name] for name in kept if name in ours} | {"MALLOC_ARENA_MAX": "1", "PYTHONUTF8": "1"}
