"""One linked account: keeps its link up, its journal filled and its calls safe."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from mautrix_whatsapp_py.ids import USER_SERVER, JournalSeq, LoginId, WaJid, login_tag
from mautrix_whatsapp_py.model.wa_link import WaLinkFact, WaLinkKind, WaSessionStats
from mautrix_whatsapp_py.tasks import Backoff, end_all, spawn
from mautrix_whatsapp_py.whatsapp.folders import SessionFileError, SessionFolder, lock_file, require_session_jid
from mautrix_whatsapp_py.whatsapp.host.decode import Account, decode_row
from mautrix_whatsapp_py.whatsapp.host.encode import encode_device_props
from mautrix_whatsapp_py.whatsapp.host.encode_content import OwnAddresses
from mautrix_whatsapp_py.whatsapp.host.facts import LINK_CODES, TERMINAL, decode_end, decode_fact
from mautrix_whatsapp_py.whatsapp.host.gate import Gate, Turnstile, post
from mautrix_whatsapp_py.whatsapp.host.history import History
from mautrix_whatsapp_py.whatsapp.host.incarnation import Hooks, Incarnation, wait_for
from mautrix_whatsapp_py.whatsapp.host.intake import Intake
from mautrix_whatsapp_py.whatsapp.host.journal import EventJournal, JournalAway
from mautrix_whatsapp_py.whatsapp.host.keep import FolderKeep, Keep
from mautrix_whatsapp_py.whatsapp.host.library import ConnectSpec, Library
from mautrix_whatsapp_py.whatsapp.host.library_log import log_library_line
from mautrix_whatsapp_py.whatsapp.host.notes import Counters, decode_moment, log_forgotten
from mautrix_whatsapp_py.whatsapp.host.protobuf import DEVICE_CODE, Protobuf, get_jid
from mautrix_whatsapp_py.whatsapp.host.pump import Outlet, Pump
from mautrix_whatsapp_py.whatsapp.host.resting import decode_unusable, rest_seconds
from mautrix_whatsapp_py.whatsapp.host.secrets import get_secrets
from mautrix_whatsapp_py.whatsapp.host.settling import Settling
from mautrix_whatsapp_py.whatsapp.host.timings import Timings
from mautrix_whatsapp_py.whatsapp.tables import Database, read_apart, read_here
from mautrix_whatsapp_py.whatsapp.wire import LinkChanged, LinkOptions

log = logging.getLogger(__name__)

_ENDED_FACT = "logged-out"
_PHONE_FACT = "phone-seen"
_PHONE_NOTED_SECONDS = 60


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What all sessions of a host share."""

    library: Library
    protobuf: Protobuf
    turnstile: Turnstile
    outlet: Outlet
    timings: Timings
    keep: Keep = field(default_factory=FolderKeep)
    opened: set[Database] = field(default_factory=set)
    """Databases the library has had open in this process: it never closes them."""


@dataclass(slots=True)
class _Wishes:
    """What the owner of the session wants; set from anywhere on the event loop, obeyed by the runner."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    should_stop: bool = False
    should_restart: bool = False
    cause: WaLinkKind | None = None


class Session:
    """Made, started, stopped once; in between it goes through as many incarnations as it takes."""

    def __init__(
        self,
        login: LoginId,
        folder: SessionFolder,
        options: LinkOptions,
        surroundings: Surroundings,
    ) -> None:
        self.login = login
        self.folder = folder.ensure()
        self._lock = lock_file(folder.lock)
        self._options = options
        self._around = surroundings
        self.database = surroundings.keep.get_database(folder, login)
        self._journal = surroundings.keep.open_journal(folder, login)
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"journal-{login_tag(login)}")
        try:
            self.intake = Intake(self._journal, on_stored=self._stored, on_disk=self._disk_changed)
        except JournalAway:
            os.close(self._lock)
            raise
        self.gate = Gate(login, surroundings.turnstile)
        self.own = OwnAddresses(pn=WaJid(user=login, server=USER_SERVER))
        protobuf = surroundings.protobuf
        self.history = History(login, folder.history, protobuf, get_own_lid=lambda: self.own.lid)
        self.account = Account(
            own=self.own.pn,
            get_secrets=partial(get_secrets, self.database),
            protobuf=protobuf,
            take_history=self.history.take if options.wants_history else None,
        )
        self.settling = Settling(
            lambda row: decode_row(row, self.account), get_fact=self._journal.get_fact, set_fact=self._remember
        )
        self._pump = Pump(
            login=login,
            journal=self._journal,
            outlet=surroundings.outlet,
            decode=lambda row: decode_row(row, self.account),
            on_acked=self.intake.acked,
            on_phone_seen=self._phone_seen,
            on_receipt=self.settling.note,
            executor=self._executor,
            is_rushed=lambda: self.intake.is_rushed,
        )
        self.fact = WaLinkFact(kind=WaLinkKind.STARTING, at=_now())
        self.incarnation: Incarnation | None = None
        self.counters = Counters(phone_seen_at=decode_moment(self._journal.get_fact(_PHONE_FACT)))
        self._wishes = _Wishes()
        self._generation = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self._disconnected_since = 0.0
        self._is_phone_unseen = False
        self._is_closed = False

    # Owner's side, on the event loop

    @property
    def journal(self) -> EventJournal:
        return self._journal

    @property
    def outlet(self) -> Outlet:
        return self._around.outlet

    @property
    def uuid(self) -> str:
        """The library's name of the incarnation that is up."""
        return self.incarnation.spec.uuid if self.incarnation is not None else ""

    def start(self) -> None:
        """Bring the link up and keep it up."""
        spawn(self._pump.run(), name=f"pump-{login_tag(self.login)}", tasks=self._tasks)
        self._runner = spawn(self._run(), name=f"session-{login_tag(self.login)}", tasks=self._tasks)
        self._pump.wake()
        self.history.start()

    def restart(self, cause: WaLinkKind | None = None) -> None:
        """Take the link down and up again, also after an end it would not recover from by itself."""
        self._wishes.should_restart = True
        self._wishes.cause = cause
        self._wishes.changed.set()

    async def stop(self) -> None:
        """Take the link down, losing nothing; the folder is free afterwards."""
        self._wishes.should_stop = True
        self._wishes.changed.set()
        if self._runner is not None:
            await asyncio.wait({self._runner})
        await self._close()

    async def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self.gate.shutdown()
        self._pump.wake()
        await end_all(self._tasks)
        self._executor.shutdown(wait=True)
        await self.history.stop()
        self._journal.close()
        os.close(self._lock)

    def attached(self) -> None:
        """A bridge is there: tell it where we stand and repeat what it has not acknowledged."""
        self._around.outlet.put(LinkChanged(login=self.login, fact=self.fact))
        if self.intake.is_disk_full:
            self._tell_aside(WaLinkKind.DISK_FULL)
        if self._is_phone_unseen:
            self._tell_aside(WaLinkKind.PHONE_UNSEEN)
        self._pump.wake()

    def ack(self, seqs: Sequence[JournalSeq]) -> None:
        """The bridge has stored these events."""
        self._pump.ack(seqs)

    async def in_journal_thread(self, function: Callable[[], object]) -> object:
        """Run work on the journal's thread."""
        return await self._loop.run_in_executor(self._executor, function)

    def stats(self) -> WaSessionStats:
        """Figures for status."""
        counters = self.counters
        return WaSessionStats(
            login=self.login,
            journal_depth=self.intake.depth,
            restarts=counters.restarts,
            pump_deaths=counters.pump_deaths,
            undecoded=self._pump.undecoded,
            last_event_at=counters.last_event_at,
            last_send_at=counters.last_send_at,
            phone_seen_at=counters.phone_seen_at,
            is_paused_by_disk=self.intake.is_disk_full,
        )

    # The runner

    async def _run(self) -> None:
        backoff = Backoff(
            first_seconds=self._around.timings.retry_first_seconds,
            cap_seconds=self._around.timings.retry_cap_seconds,
        )
        while not self._wishes.should_stop:
            try:
                await self._live_once(backoff)
            except Exception:
                # A link without a runner would be down for good, and nobody told.
                log.exception("the link could not be brought up", extra={"login": self.login})
                self._tell(WaLinkKind.DIAL_FAILED)
            if not self._wishes.should_stop:
                await self._rest(backoff)
        self._tell(WaLinkKind.STOPPED)

    async def _live_once(self, backoff: Backoff) -> None:
        self._wishes.should_restart, self._wishes.cause = False, None
        self._wishes.changed.clear()
        try:
            read = read_apart if self.database in self._around.opened else read_here
            jid = await self._loop.run_in_executor(
                self._executor, lambda: require_session_jid(self.database, self.login, read)
            )
        except SessionFileError as error:
            reason = str(await self.in_journal_thread(lambda: self._journal.get_fact(_ENDED_FACT)))
            self._tell(decode_unusable(error.code, reason), reason or error.code)
            return
        self._generation += 1
        spec = ConnectSpec(
            uuid=f"{self.login}#{self._generation}",
            slot=self.login,
            database=self.database,
            device_props=encode_device_props(self._options, self._around.protobuf),
            jid=self._around.protobuf.encode_jid(jid),
            proxy=self._options.proxy,
        )
        self.intake.reopen()
        self._around.opened.add(self.database)
        self.incarnation = Incarnation(
            spec, self._hooks(spec.uuid), self._around.library, self._around.turnstile, self.gate
        )
        self._disconnected_since = 0.0
        self._tell(WaLinkKind.DIALLING)
        await self.incarnation.start()
        await self._watch(self.incarnation, backoff)
        await self._take_down(self.incarnation)
        self.incarnation = None

    async def _watch(self, incarnation: Incarnation, backoff: Backoff) -> None:
        """Wait until this incarnation is over, for whatever reason, and say what it was."""
        ended = asyncio.create_task(incarnation.ended.wait())
        changed = asyncio.create_task(self._wishes.changed.wait())
        try:
            await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            changed.cancel()
        if incarnation.live_seconds() > self._around.timings.steady_seconds:
            backoff.reset()
        if incarnation.ended.is_set() and not self._wishes.should_stop and self.fact.kind not in TERMINAL:
            fact = decode_end(incarnation.error, incarnation.is_live, _now())
            if fact.kind is WaLinkKind.PUMP_DIED:
                self.counters.pump_deaths += 1
            self._publish(fact)
        elif self._wishes.cause is not None:
            self._tell(self._wishes.cause)

    async def _take_down(self, incarnation: Incarnation) -> None:
        timings = self._around.timings
        if self._wishes.should_stop:
            # On a full disk a last try is all an event gets, or the process could never end.
            timer = self._loop.call_later(timings.drain_seconds, self.intake.close)
        else:
            timer = self._loop.call_later(timings.drain_seconds * 4, self.intake.close)
        try:
            await incarnation.take_down(quiet_seconds=timings.quiet_seconds, drain_seconds=timings.drain_seconds)
        finally:
            timer.cancel()
        self.counters.leaked_threads += incarnation.has_leaked
        self.counters.restarts += 1

    async def _rest(self, backoff: Backoff) -> None:
        """Wait before the next incarnation; for ever when only the owner can change anything."""
        if self._wishes.should_restart or self._wishes.should_stop:
            return
        self._wishes.changed.clear()
        seconds = rest_seconds(self.fact, _now(), backoff, self._around.timings)
        await wait_for(self._wishes.changed, seconds)

    # Callbacks

    def _hooks(self, uuid: str) -> Hooks:
        return Hooks(
            journal=self._journal_event,
            on_link=lambda code, body: self._on_link(uuid, code, body),
            on_qr=lambda _: None,
            on_status=lambda _: None,
            on_log=self._on_log,
            link_codes=LINK_CODES,
        )

    def _journal_event(self, code: int, body: bytes) -> None:
        if not self.settling.takes(code, body):
            self.intake.append(code, body)
        self.counters.last_event_at = _now()

    def _stored(self) -> None:
        # Not for each of many: every wake-up takes the interpreter from the library's thread.
        if not self._pump.note_stored():
            post(self._loop, self._pump.wake)

    def _disk_changed(self, is_full: bool) -> None:
        post(self._loop, self._tell_disk, is_full)

    def _on_log(self, line: bytes) -> None:
        if log_library_line(line, self.login, self._around.protobuf, self.history.note_loss):
            self.restart(WaLinkKind.DEAF)

    def _on_link(self, uuid: str, code: int, body: bytes) -> None:
        if uuid != self.uuid:
            return
        if code == DEVICE_CODE and body:
            self.own = OwnAddresses(pn=self.own.pn, lid=get_jid(self._around.protobuf.parse(code, body).LID))
        fact = decode_fact(code, body, self._around.protobuf, _now())
        if fact is None:
            return
        self._publish(fact)
        if fact.kind is WaLinkKind.DISCONNECTED:
            self._disconnected_since = time.monotonic()
        elif fact.kind is WaLinkKind.CONNECTED:
            self._disconnected_since = 0.0
            self._remember(_ENDED_FACT, "")
        elif fact.kind in TERMINAL:
            if fact.kind is WaLinkKind.LOGGED_OUT:
                self._remember(_ENDED_FACT, fact.code)
            self._wishes.changed.set()

    def disconnected_seconds(self) -> float:
        """How long the library has been trying to reconnect by itself."""
        return time.monotonic() - self._disconnected_since if self._disconnected_since else 0.0

    def _phone_seen(self, at: datetime) -> None:
        seen = self.counters.phone_seen_at
        if seen is None or (at - seen).total_seconds() >= _PHONE_NOTED_SECONDS:
            self.counters.phone_seen_at = at
            self._remember(_PHONE_FACT, at.isoformat())

    def set_phone_unseen(self, *, is_unseen: bool) -> None:
        """The phone has been away for too long, or is back."""
        if is_unseen != self._is_phone_unseen:
            self._is_phone_unseen = is_unseen
            self._tell_aside(WaLinkKind.PHONE_UNSEEN if is_unseen else WaLinkKind.PHONE_SEEN)

    def outlived_error(self) -> None:
        """The server answers although it sent a stream error."""
        if self.fact.kind is WaLinkKind.STREAM_ERROR:
            self._tell(WaLinkKind.CONNECTED)

    def _remember(self, name: str, value: str) -> None:
        future = self._executor.submit(self._journal.set_fact, name, value)
        future.add_done_callback(log_forgotten)

    # Facts

    def _tell(self, kind: WaLinkKind, code: str = "") -> None:
        self._publish(WaLinkFact(kind=kind, at=_now(), code=code))

    def _tell_disk(self, is_full: bool) -> None:
        kind = WaLinkKind.DISK_FULL if is_full else WaLinkKind.DISK_FREE
        log.log(logging.ERROR if is_full else logging.INFO, "journal: %s", kind, extra={"login": self.login})
        self._tell_aside(kind)

    def _tell_aside(self, kind: WaLinkKind) -> None:
        """Tell of something beside the link itself."""
        self._around.outlet.put(LinkChanged(login=self.login, fact=WaLinkFact(kind=kind, at=_now())))

    def _publish(self, fact: WaLinkFact) -> None:
        self.fact = fact
        self.intake.quiet.note_link(fact.kind)
        log.info("link %s %s", fact.kind, fact.code, extra={"login": self.login})
        self._around.outlet.put(LinkChanged(login=self.login, fact=fact))


def _now() -> datetime:
    return datetime.now(UTC)
