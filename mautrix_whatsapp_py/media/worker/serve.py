"""The worker's main loop: holds the libraries ready, and does each job in a process of its own.

A job's process is a copy of this one, so that it need not load anything; what it leaves in memory, and whatever a
file did to it, ends with it. This process itself never opens a file of a stranger.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mautrix_whatsapp_py.media.jobs import (
    MAX_LINE_BYTES,
    Job,
    JobFailed,
    Ready,
    Unready,
    decode_job,
    decode_outcome,
    encode_line,
)
from mautrix_whatsapp_py.media.worker.confine import confine
from mautrix_whatsapp_py.media.worker.work import do_job, load_libraries
from mautrix_whatsapp_py.model.media_ready import UnreadyReason

_READ_BYTES: Final = 65_536
_TICK_SECONDS: Final = 0.25
_REASONS: Final = {errno.ENOMEM: UnreadyReason.TOO_MUCH_MEMORY, errno.EFBIG: UnreadyReason.TOO_LARGE}


@dataclass(slots=True, kw_only=True)
class _Running:
    """A job under way."""

    job: Job
    pid: int
    until: float
    said: bytearray = field(default_factory=bytearray)
    is_late: bool = False


def main() -> None:
    """Serve until the bridge closes its end."""
    # Ctrl-C in a terminal goes to the bridge, which then closes its end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_libraries()
    _Server().run()


class _Server:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._running: dict[int, _Running] = {}
        self._heard = bytearray()

    def run(self) -> None:
        """Until the end of the input."""
        try:
            while True:
                for key, _ in self._selector.select(_TICK_SECONDS if self._running else None):
                    if key.fd == 0:
                        if not self._hear():
                            return
                    else:
                        self._listen_to(key.fd)
                self._end_late()
        finally:
            for running in self._running.values():
                os.kill(running.pid, signal.SIGKILL)

    def _hear(self) -> bool:
        """Take orders; false at the end of the input."""
        data = os.read(0, _READ_BYTES)
        self._heard += data
        while (end := self._heard.find(b"\n")) >= 0:
            line = bytes(self._heard[:end])
            del self._heard[: end + 1]
            self._start(decode_job(line))
        return bool(data)

    def _start(self, job: Job) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_job(job, writer)
        os.close(writer)
        self._running[reader] = _Running(job=job, pid=pid, until=time.monotonic() + job.bounds.seconds)
        self._selector.register(reader, selectors.EVENT_READ)

    def _listen_to(self, reader: int) -> None:
        running = self._running[reader]
        data = os.read(reader, _READ_BYTES)
        running.said += data
        if len(running.said) > MAX_LINE_BYTES:
            os.kill(running.pid, signal.SIGKILL)
        elif data:
            return
        self._selector.unregister(reader)
        os.close(reader)
        del self._running[reader]
        _, status = os.waitpid(running.pid, 0)
        _say(_outcome(running, status))

    def _end_late(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if now >= running.until and not running.is_late:
                running.is_late = True
                os.kill(running.pid, signal.SIGKILL)


def _be_job(job: Job, writer: int) -> None:
    """The process of one job; never returns."""
    try:
        # Orders and answers are the server's: nothing a library prints may get between them.
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os.nice(5)
        confine(job.bounds)
        os.write(writer, encode_line(_try(job)))
    finally:
        os._exit(0)


def _try(job: Job) -> Ready | Unready:
    try:
        return Ready(number=job.number, file=do_job(job))
    except JobFailed as error:
        return Unready(number=job.number, reason=error.reason, detail=error.detail)
    except MemoryError:
        return Unready(number=job.number, reason=UnreadyReason.TOO_MUCH_MEMORY)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, UnreadyReason.BROKEN)
        return Unready(number=job.number, reason=reason, detail=type(error).__name__)
    except Exception as error:  # noqa: BLE001  the edge of the adapter: what libraries raise about broken files
        return Unready(number=job.number, reason=UnreadyReason.BROKEN, detail=type(error).__name__)


def _outcome(running: _Running, status: int) -> Ready | Unready:
    number = running.job.number
    if running.is_late:
        return Unready(number=number, reason=UnreadyReason.TOO_SLOW)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGXCPU:
            return Unready(number=number, reason=UnreadyReason.TOO_SLOW)
        return Unready(number=number, reason=UnreadyReason.CRASHED, detail=f"signal {os.WTERMSIG(status)}")
    try:
        outcome = decode_outcome(bytes(running.said))
    except (msgspec.DecodeError, msgspec.ValidationError):
        return Unready(number=number, reason=UnreadyReason.CRASHED, detail="no outcome")
    return outcome if outcome.number == number else Unready(number=number, reason=UnreadyReason.CRASHED)


def _say(outcome: Ready | Unready) -> None:
    data = encode_line(outcome)
    try:
        while data:
            data = data[os.write(1, data) :]
    except BrokenPipeError:
        sys.exit(0)
