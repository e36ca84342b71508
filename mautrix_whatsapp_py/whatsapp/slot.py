"""A place for up to so many sessions: one host process at a time, replaced when it dies."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.model.wa_link import WaHostStats
from mautrix_whatsapp_py.tasks import Backoff, end_all, spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.connection import (
    HostConnection,
    HostSpeaksOtherVersion,
    HostUnreachable,
    connect_host,
)
from mautrix_whatsapp_py.whatsapp.folders import DataFolder, ensure_private_folder
from mautrix_whatsapp_py.whatsapp.options import HostLimits, NetworkOptions
from mautrix_whatsapp_py.whatsapp.process import HostProcess, last_words, spawn_host, trim_log

log = logging.getLogger(__name__)

_START_SECONDS = 30.0
_STOP_SECONDS = 120.0
_REATTACH_SECONDS = 3.0
_POLL_SECONDS = 0.02
_BUSY_TRIES = 100
_STEADY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotListener:
    """Who is told what the host of a slot says."""

    on_frame: Callable[[wire.FromHost], None]
    on_lost: Callable[[tuple[LoginId, ...]], None]
    on_worn: Callable[[Slot], None]


class Slot:
    """Sessions that belong here are `logins`; they are started again in every new process."""

    def __init__(self, data: DataFolder, options: NetworkOptions, listener: SlotListener) -> None:
        self.logins: dict[LoginId, int] = {}
        """Each with the epoch in which it is ours, where several processes share sessions."""
        self.is_retiring = False
        self.stats: WaHostStats | None = None
        self.deaths = 0
        self._data = data
        self._options = options
        self._listener = listener
        self._name = ""
        self._folder = Path()
        self._process: HostProcess | None = None
        self._connection: HostConnection | None = None
        self._is_up = asyncio.Event()
        self._up_since = 0.0
        self._should_end = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self._backoff = Backoff(
            first_seconds=options.restart_first_seconds, cap_seconds=options.restart_cap_seconds
        )

    @property
    def connection(self) -> HostConnection | None:
        """The way to the host while there is one."""
        connection = self._connection
        return connection if connection is not None and not connection.lost.is_set() else None

    @property
    def pid(self) -> int:
        """Process of the host, 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def room(self) -> int:
        """How many more sessions fit."""
        return 0 if self.is_retiring else self._options.sessions_per_host - len(self.logins)

    def start(self) -> None:
        """Have a process from now on."""
        self._runner = spawn(self._run(), name="host-slot", tasks=self._tasks)

    async def adopt(self, folder: Path) -> bool:
        """Take over a host an earlier bridge left behind; False when there is none behind this folder."""
        try:
            connection = await connect_host(folder / "sock", "bridge", self._on_frame)
        except HostSpeaksOtherVersion:
            log.info("a session host of another version ends and is replaced")
            return False
        except HostUnreachable:
            return False
        self._name, self._folder = connection.hello.name, folder
        self._process = HostProcess(pid=connection.pid)
        self._connection = connection
        self.logins = dict.fromkeys(connection.hello.logins, 0)
        return True

    def hold(self, options: NetworkOptions) -> None:
        """Tell the host for how long its sessions are ours."""
        self._options = options
        tell_lease(self.connection, options)

    async def reattach(self) -> None:
        """Have the host say again where its links stand, and repeat what nobody has acknowledged."""
        if (connection := self.connection) is not None:
            await connection.close()

    # Sessions

    async def add(self, login: LoginId, epoch: int = 0) -> None:
        """This session belongs here from now on; it starts as soon as the host is up."""
        self.logins[login] = epoch
        if self._is_up.is_set():
            await self._start_session(login)

    async def remove(self, login: LoginId) -> None:
        """This session belongs elsewhere; its folder is free when this returns."""
        self.logins.pop(login, None)
        process = self._process
        while (connection := await self._reach(process)) is not None:
            try:
                await connection.request(wire.StopSession(login=login), deadline_seconds=_STOP_SECONDS)
                return
            except WhatsAppError as error:
                # Asked again over a new connection: the others of this host are not to die of an old one's end.
                if not connection.lost.is_set():
                    log.warning("a session did not stop (%s): its host is replaced", error.code)
                    self._kill()
                    return

    async def _reach(self, process: HostProcess | None) -> HostConnection | None:
        """The way to a host, also when it is just being made anew; None when that process is no more."""
        while self.connection is None:
            if process is None or process.has_ended or self._process is not process or self._should_end.is_set():
                return None
            await asyncio.sleep(_POLL_SECONDS)  # A connection is there without telling anyone.
        return self.connection

    async def _start_session(self, login: LoginId) -> None:
        folder = self._data.get_session(login).path
        call = wire.StartSession(
            login=login, folder=str(folder), options=self._options.link, epoch=self.logins.get(login, 0)
        )
        for _ in range(_BUSY_TRIES):
            connection = self.connection
            if connection is None or login not in self.logins:
                return
            try:
                await connection.request(call, deadline_seconds=_START_SECONDS)
                return
            except WhatsAppRefused as error:
                log.error("session %s did not start: %s", login_tag(login), error.code)
                return
            except WhatsAppError as error:
                if error.code != "busy":
                    log.error("session %s did not start, it is tried again: %s", login_tag(login), error.code)
                    break
            # Its former host still holds the folder; it is ending.
            await asyncio.sleep(0.1)
        else:
            log.error("session %s did not start yet: its folder is held by another process", login_tag(login))
        spawn(self._start_later(login, self.connection), name="start-session", tasks=self._tasks)

    async def _start_later(self, login: LoginId, connection: HostConnection | None) -> None:
        """Nobody else would start it before this host ends; the next one starts all its sessions."""
        await asyncio.sleep(self._options.session_retry_seconds)
        if self.connection is connection:
            await self._start_session(login)

    # Life of the process

    async def _run(self) -> None:
        while not self._should_end.is_set():
            if self._connection is None and not await self._open():
                await self._pause()
                continue
            connection = self._connection
            assert connection is not None
            await self._serve(connection)
            if not self._should_end.is_set():
                await self._recover(connection)

    async def _serve(self, connection: HostConnection) -> None:
        running = set(connection.hello.logins)
        connection.start()
        tell_lease(connection, self._options)
        self._is_up.set()
        self._up_since = asyncio.get_running_loop().time()
        await asyncio.gather(*(self._start_session(login) for login in tuple(self.logins) if login not in running))
        lost = asyncio.create_task(connection.lost.wait())
        ending = asyncio.create_task(self._should_end.wait())
        try:
            await asyncio.wait({lost, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            ending.cancel()
            self._is_up.clear()

    async def _recover(self, connection: HostConnection) -> None:
        """The connection is gone: attach again when the host still answers, make a new one when not."""
        self._connection = None
        await connection.close()
        self._listener.on_lost(tuple(self.logins))
        if self._process is not None and not await self._process.ended(0.2):
            try:
                async with asyncio.timeout(_REATTACH_SECONDS):
                    self._connection = await connect_host(self._folder / "sock", "bridge", self._on_frame)
                return
            except (HostUnreachable, HostSpeaksOtherVersion, TimeoutError):
                log.warning("session host %s does not answer and is killed", self._name)
        self._kill()
        await self._bury()
        await self._pause()

    async def _open(self) -> bool:
        self._name = uuid.uuid4().hex[:8]
        self._folder = ensure_private_folder(self._data.hosts / self._name)
        try:
            self._process = await spawn_host(self._name, self._folder, self._options)
        except OSError as error:
            log.error("session host cannot be started: %s", error.strerror)
            self._remove_folder()
            return False
        self._connection = await await_host(
            self._folder, self._process, self._on_frame, seconds=self._options.host_start_seconds
        )
        if self._connection is None:
            log.error("session host did not come up: %s", last_words(self._folder) or "no reason given")
            self._kill()
            await self._bury()
        return self._connection is not None

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._backoff.next_seconds()):
                await self._should_end.wait()
        except TimeoutError:
            return

    async def _bury(self) -> None:
        self.deaths += 1
        if self._process is not None:
            await self._process.ended(10)
        words = last_words(self._folder)
        if words:
            log.error("session host %s died: %s", self._name, words)
        else:
            log.warning("session host %s is gone", self._name)
        self._process = None
        self._remove_folder()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.signal(signal.SIGKILL)

    def _remove_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    # Ending

    async def stop(self, *, keeps_host: bool) -> None:
        """Let go of the host; it lives on when it is to be kept and holds anything."""
        self._should_end.set()
        keeps_host = keeps_host and bool(self.logins)
        if self._runner is not None:
            await asyncio.gather(self._runner, return_exceptions=True)
        connection, process = self._connection, self._process
        if connection is not None and not keeps_host:
            connection.put(wire.Shutdown())
        if process is not None and not keeps_host:
            if connection is None or not await process.ended(_STOP_SECONDS):
                await process.end(patience_seconds=10)
            self._remove_folder()
        if process is not None and keeps_host:
            process.let_go()
        if connection is not None:
            await connection.close()
        await end_all(self._tasks)

    def _on_frame(self, frame: wire.FromHost) -> None:
        if isinstance(frame, wire.Heartbeat):
            if frame.stats is not None:
                if asyncio.get_running_loop().time() - self._up_since > _STEADY_SECONDS:
                    self._backoff.reset()
                self.stats = frame.stats
                trim_log(self._folder)
                if not self.is_retiring and is_worn(frame.stats, self._options.limits):
                    self._listener.on_worn(self)
            return
        self._listener.on_frame(frame)


def tell_lease(connection: HostConnection | None, options: NetworkOptions) -> None:
    """Have a host go on for as long as its sessions are ours."""
    if connection is not None and options.keeping is not None:
        connection.put(wire.LeaseHeld(until=options.keeping.until))


def is_worn(stats: WaHostStats, limits: HostLimits) -> bool:
    """Whether a host has leaked so much that its sessions should move."""
    return (
        stats.resident_bytes > limits.resident_bytes
        or stats.threads > limits.threads
        or stats.descriptors > limits.descriptors
        or stats.leaked_threads > limits.leaked_threads
    )


async def await_host(
    folder: Path,
    process: HostProcess,
    on_frame: Callable[[wire.FromHost], None],
    *,
    seconds: float,
) -> HostConnection | None:
    """Attach to a host that is starting; None when it ended or took too long."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not process.has_ended and asyncio.get_running_loop().time() < deadline:
        if (folder / "sock").exists():
            try:
                return await connect_host(folder / "sock", "bridge", on_frame)
            except HostUnreachable:
                log.debug("session host %s does not answer yet", folder.name)
            except HostSpeaksOtherVersion:
                return None
        await asyncio.sleep(_POLL_SECONDS)  # A socket file appears without telling anyone.
    return None
