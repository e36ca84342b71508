"""All sessions of one host process, and the bridge they belong to."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import threading
import time
from pathlib import Path

from mautrix_whatsapp_py.fencing import Fence
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.model.wa_link import WaHostStats, WaLinkKind
from mautrix_whatsapp_py.tasks import spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.folders import FolderBusy, SessionFolder
from mautrix_whatsapp_py.whatsapp.host.calls import Calls
from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed
from mautrix_whatsapp_py.whatsapp.host.gate import Turnstile
from mautrix_whatsapp_py.whatsapp.host.journal import JournalAway
from mautrix_whatsapp_py.whatsapp.host.keep import FolderKeep, Keep
from mautrix_whatsapp_py.whatsapp.host.library import Library
from mautrix_whatsapp_py.whatsapp.host.pairing import Pairing
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.host.server import BridgeOutlet, Handlers, HostServer
from mautrix_whatsapp_py.whatsapp.host.session import Session, Surroundings
from mautrix_whatsapp_py.whatsapp.host.timings import Timings
from mautrix_whatsapp_py.whatsapp.host.watch import Watch

log = logging.getLogger(__name__)


class Host:
    """Starts and stops sessions as the bridge asks; `end` is set when the process should."""

    def __init__(
        self,
        *,
        name: str,
        outlet: BridgeOutlet,
        library: Library,
        protobuf: Protobuf,
        timings: Timings,
        is_pairing: bool = False,
        keep: Keep | None = None,
        fence: Fence | None = None,
        end: asyncio.Event | None = None,
    ) -> None:
        self.end = end or asyncio.Event()
        self.orphan_since = time.monotonic()
        self._name = name
        self._is_pairing = is_pairing
        self._around = Surroundings(
            library=library,
            protobuf=protobuf,
            turnstile=Turnstile(),
            outlet=outlet,
            timings=timings,
            keep=keep or FolderKeep(),
        )
        self._fence = fence
        loop = asyncio.get_running_loop()
        self._around.keep.watch(lambda: loop.call_soon_threadsafe(self._on_database_lost))
        self._sessions: dict[LoginId, Session] = {}
        self._calls: dict[LoginId, Calls] = {}
        self._pairing: Pairing | None = None
        self._leaked_threads = 0
        self._watches: dict[LoginId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.server = HostServer(
            name,
            outlet,
            Handlers(
                run=self._run,
                on_ack=self._on_ack,
                on_attached=self._on_attached,
                on_detached=self._on_detached,
                on_shutdown=self.end.set,
                on_lease=self._on_lease,
                get_logins=lambda: tuple(self._sessions),
                get_stats=self._stats,
            ),
        )

    async def stop(self) -> None:
        """Take all links down and let go of everything."""
        await asyncio.gather(*(self._stop_session(login) for login in tuple(self._sessions)))
        await self.server.stop()

    def _on_attached(self) -> None:
        self.orphan_since = 0.0
        for session in self._sessions.values():
            session.attached()

    def _on_detached(self) -> None:
        self.orphan_since = time.monotonic()
        if self._is_pairing:
            self.end.set()

    def _on_database_lost(self) -> None:
        """Without its tables the library decrypts nothing and drops what comes: the server shall keep it."""
        for session in self._sessions.values():
            session.restart(WaLinkKind.DISCONNECTED)

    def _on_lease(self, until: float) -> None:
        if self._fence is not None:
            self._fence.until = until

    def _on_ack(self, ack: wire.Ack) -> None:
        session = self._sessions.get(ack.login)
        if session is not None:
            session.ack(ack.seqs)

    async def _run(self, call: wire.Call) -> wire.Result:
        match call:
            case wire.StartSession():
                self._start_session(call)
            case wire.StopSession():
                await self._stop_session(call.login)
            case wire.RestartSession():
                self._require(call.login).restart()
            case wire.StartPairing():
                self._start_pairing(call)
            case wire.RequestPhoneCode():
                if self._pairing is None:
                    raise CallFailed("no-pairing", is_final=True)
                return await self._pairing.request_phone_code(call.phone)
            case _:
                self._require(call.login)
                return await self._calls[call.login].run(call)
        return wire.Done()

    def _require(self, login: LoginId) -> Session:
        session = self._sessions.get(login)
        if session is None:
            raise CallFailed("no-session")
        return session

    def _start_session(self, call: wire.StartSession) -> None:
        if call.login in self._sessions:
            self._sessions[call.login].restart()
            return
        self._around.keep.hold(call.login, call.epoch)
        try:
            session = Session(call.login, SessionFolder(path=Path(call.folder)), call.options, self._around)
        except FolderBusy as error:
            raise CallFailed("busy") from error
        except OSError as error:
            raise CallFailed("folder") from error
        except JournalAway as error:
            # Soon there again, or this host has to end.
            raise CallFailed("busy") from error
        self._sessions[call.login] = session
        self._calls[call.login] = Calls(session, self._around.library, self._around.protobuf)
        session.start()
        watch = Watch(session, self._around.library, self._around.timings)
        self._watches[call.login] = asyncio.create_task(watch.run(), name=f"watch-{login_tag(call.login)}")

    async def _stop_session(self, login: LoginId) -> None:
        session = self._sessions.get(login)
        if session is None:
            return
        watch = self._watches.pop(login, None)
        if watch is not None:
            watch.cancel()
        # Shielded: half a stop would leave the folder locked by a session nobody knows.
        await asyncio.shield(asyncio.ensure_future(session.stop()))
        self._leaked_threads += session.counters.leaked_threads
        self._sessions.pop(login, None)
        self._calls.pop(login, None)

    def _start_pairing(self, call: wire.StartPairing) -> None:
        if self._pairing is not None:
            raise CallFailed("busy", is_final=True)
        folder = SessionFolder(path=Path(call.folder))
        self._pairing = Pairing(folder, call.options, call.phone, self._around)
        spawn(self._pair(self._pairing), name="pairing", tasks=self._tasks)

    async def _pair(self, pairing: Pairing) -> None:
        try:
            await pairing.run()
        finally:
            self.end.set()

    def _stats(self) -> WaHostStats:
        sessions = tuple(self._sessions.values())
        return WaHostStats(
            host=self._name,
            pid=os.getpid(),
            resident_bytes=_resident_bytes(),
            threads=_count_entries("/proc/self/task") or threading.active_count(),
            descriptors=_count_entries("/proc/self/fd"),
            leaked_threads=self._leaked_threads + sum(session.counters.leaked_threads for session in sessions),
            sessions=tuple(session.stats() for session in sessions),
        )


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _count_entries(folder: str) -> int:
    try:
        return sum(1 for _ in Path(folder).iterdir())
    except OSError:
        return 0
