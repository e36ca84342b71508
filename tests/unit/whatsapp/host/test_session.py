"""A session keeps its link up whatever the library does, and never calls it when it must not."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.wa_link import WaLinkKind
from mautrix_whatsapp_py.whatsapp.folders import FolderBusy, SessionFolder
from mautrix_whatsapp_py.whatsapp.host.encode_content import OwnAddresses
from mautrix_whatsapp_py.whatsapp.host.gate import Turnstile
from mautrix_whatsapp_py.whatsapp.host.protobuf import DEVICE_CODE, Protobuf
from mautrix_whatsapp_py.whatsapp.host.session import Session, Surroundings
from mautrix_whatsapp_py.whatsapp.host.timings import Timings
from mautrix_whatsapp_py.whatsapp.host.watch import Watch
from mautrix_whatsapp_py.whatsapp.tables import Database, Query, Rows, read_here
from mautrix_whatsapp_py.whatsapp.wire import Event, LinkChanged, LinkOptions
from tests.unit.whatsapp.host.fakes import FakeLibrary, FakeOutlet

LOGIN = LoginId("15550001111")
FAST = Timings(
    retry_first_seconds=0.01,
    retry_cap_seconds=0.02,
    refused_seconds=0.01,
    quiet_seconds=0.02,
    drain_seconds=1.0,
    watch_seconds=0.01,
    stuck_seconds=0.1,
    silence_seconds=0.05,
    probe_seconds=0.05,
)


def make_folder(path: Path, jid: str = f"{LOGIN}:1@s.whatsapp.net") -> SessionFolder:
    folder = SessionFolder(path=path).ensure()
    with closing(sqlite3.connect(folder.database)) as connection, connection:
        connection.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
        connection.execute("CREATE TABLE whatsmeow_identity_keys (our_jid TEXT)")
        connection.execute("INSERT INTO whatsmeow_device VALUES (?)", (jid,))
    return folder


class Stand:
    """A session on a fake library."""

    def __init__(self, folder: SessionFolder, timings: Timings) -> None:
        self.protobuf = Protobuf()
        self.library = FakeLibrary(self.protobuf)
        self.outlet = FakeOutlet()
        self.changed = asyncio.Event()
        self.outlet.on_put = self.changed.set
        around = Surroundings(
            library=self.library,
            protobuf=self.protobuf,
            turnstile=Turnstile(0),
            outlet=self.outlet,
            timings=timings,
        )
        self.session = Session(LOGIN, folder, LinkOptions(), around)
        self.watch = Watch(self.session, self.library, timings)

    @property
    def facts(self) -> list[WaLinkKind]:
        return [frame.fact.kind for frame in self.outlet.of_kind(LinkChanged)]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                if not condition():
                    await self.changed.wait()

    async def until_fact(self, kind: WaLinkKind, count: int = 1) -> None:
        await self.until(lambda: self.facts.count(kind) >= count)


@asynccontextmanager
async def stand(
    tmp_path: Path, *, dial: Callable[[], str | None] | None = None, timings: Timings = FAST, jid: str = ""
) -> AsyncIterator[Stand]:
    folder = make_folder(tmp_path / LOGIN, jid) if jid else make_folder(tmp_path / LOGIN)
    made = Stand(folder, timings)
    if dial is not None:
        made.library.dial = dial
    made.session.start()
    watching = asyncio.create_task(made.watch.run())
    try:
        yield made
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await made.session.stop()


async def test_connects_and_passes_events_on(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        it.library.emit(99, b"x")
        await it.until(lambda: it.outlet.of_kind(Event))
        assert it.session.gate.is_open


@pytest.mark.parametrize("error", ["database is locked", "no answer", "disk I/O error"])
async def test_a_session_file_that_cannot_be_read_for_a_moment_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    faults = [sqlite3.OperationalError(error), sqlite3.OperationalError(error)]

    def read(database: Database, queries: Sequence[Query]) -> list[Rows]:
        if faults:
            raise faults.pop()
        return read_here(database, queries)

    monkeypatch.setattr("mautrix_whatsapp_py.whatsapp.host.session.read_here", read)
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        assert it.facts.count(WaLinkKind.DIAL_FAILED) == 2
        assert WaLinkKind.NOT_LOGGED_IN not in it.facts


async def test_a_dial_that_fails_is_tried_again(tmp_path: Path) -> None:
    answers = iter(["no such host", "no such host"])
    async with stand(tmp_path, dial=lambda: next(answers, None)) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        assert it.facts.count(WaLinkKind.DIAL_FAILED) == 2
        assert it.session.counters.pump_deaths == 0


async def test_a_dead_pump_is_started_anew_and_its_socket_closed_first(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        it.library.end("proto: required field neonize.Receipt.Type not set")
        await it.until_fact(WaLinkKind.CONNECTED, 2)
        assert WaLinkKind.PUMP_DIED in it.facts
        assert it.session.counters.pump_deaths == 1
        first = f"{LOGIN}#1"
        assert it.library.log.index(f"disconnect {first}") < it.library.log.index(f"stop {first}")
        assert f"run {LOGIN}#2" in it.library.log


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("proto: required field neonize.TemporaryBan.Code not set", WaLinkKind.TEMPORARY_BAN),
        ("proto: required field neonize.ConnectFailure.Reason not set", WaLinkKind.CONNECT_FAILURE),
    ],
)
async def test_a_pump_killed_by_a_refusal_is_a_refusal(tmp_path: Path, error: str, kind: WaLinkKind) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        it.library.end(error)
        await it.until_fact(kind)
        assert it.session.counters.pump_deaths == 0


async def test_a_logged_out_session_rests_and_calls_nothing(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        event = it.protobuf.messages.LoggedOut(OnConnect=True, Reason="MAIN_DEVICE_GONE")
        it.library.emit(6, event.SerializeToString())
        await it.until_fact(WaLinkKind.LOGGED_OUT)
        assert not it.session.gate.is_open
        assert len(it.library.runs) == 1
        assert it.session.fact.code == "403"


@pytest.mark.parametrize("jid", ["15559999999:1@s.whatsapp.net", "nonsense"])
async def test_a_session_file_of_somebody_else_is_not_opened(tmp_path: Path, jid: str) -> None:
    async with stand(tmp_path, jid=jid) as it:
        await it.until_fact(WaLinkKind.NOT_LOGGED_IN)
        assert it.library.runs == []


async def test_a_replaced_session_rests(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        it.library.emit(7, b"")
        await it.until_fact(WaLinkKind.REPLACED)
        async with asyncio.timeout(10):
            while it.session.incarnation is not None:
                await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        await it.session.stop()
        assert it.facts[-2:] == [WaLinkKind.REPLACED, WaLinkKind.STOPPED]


async def test_the_phone_is_missed_and_seen_again(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        it.session.counters.phone_seen_at = datetime.now(UTC) - timedelta(days=13)
        await it.until_fact(WaLinkKind.PHONE_UNSEEN)
        it.session.attached()
        assert it.facts.count(WaLinkKind.PHONE_UNSEEN) == 2
        it.session.counters.phone_seen_at = datetime.now(UTC)
        await it.until_fact(WaLinkKind.PHONE_SEEN)


async def test_restart_also_helps_after_an_end(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        it.library.emit(7, b"")
        await it.until_fact(WaLinkKind.REPLACED)
        it.session.restart()
        await it.until_fact(WaLinkKind.CONNECTED, 2)


async def test_stop_lets_the_callbacks_run_dry(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        for _ in range(200):
            it.library.emit(99, b"x")
        await it.session.stop()
        # One more says that nothing had waited for the link.
        assert it.session.intake.depth == 201
        assert it.facts[-1] is WaLinkKind.STOPPED
        order = [line for line in it.library.log if not line.startswith("run")]
        assert order == [f"disconnect {LOGIN}#1", f"stop {LOGIN}#1"]


async def test_two_hosts_cannot_hold_one_session(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        with pytest.raises(FolderBusy):
            Stand(SessionFolder(path=tmp_path / LOGIN), FAST)


async def test_a_stuck_callback_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    timings = msgspec.structs.replace(FAST, silence_seconds=100.0, drain_seconds=0.05)
    async with stand(tmp_path, timings=timings) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        journal = it.session.journal
        append = journal.append

        def hang(code: int, body: bytes, *, as_file: bool = False) -> None:
            release.wait(10)
            append(code, body, as_file=as_file)

        monkeypatch.setattr(journal, "append", hang)
        it.library.emit(99, b"x")
        await it.until_fact(WaLinkKind.DEAF)
        release.set()
        await it.until_fact(WaLinkKind.CONNECTED, 2)


async def test_a_silent_session_whose_server_does_not_answer_is_restarted(tmp_path: Path) -> None:
    release = threading.Event()
    async with stand(tmp_path) as it:
        it.library.answer = lambda _: b"late" * release.wait(10)
        await it.until_fact(WaLinkKind.DEAF)
        release.set()
        await it.until_fact(WaLinkKind.CONNECTED, 2)


async def test_a_silent_session_whose_server_answers_is_left_alone(tmp_path: Path) -> None:
    probed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer(_: str) -> bytes:
        loop.call_soon_threadsafe(probed.set)
        return b""

    async with stand(tmp_path) as it:
        it.library.answer = answer
        for _ in range(2):
            probed.clear()
            async with asyncio.timeout(10):
                await probed.wait()
        assert WaLinkKind.DEAF not in it.facts
        assert it.library.calls[0] == ("SetPassive", (False,))


async def test_a_library_that_says_it_is_stuck_is_restarted(tmp_path: Path) -> None:
    timings = msgspec.structs.replace(FAST, silence_seconds=100.0)
    async with stand(tmp_path, timings=timings) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        line = it.protobuf.messages.LogEntry(
            Message="Node handling is taking long for <message/>", Level="WARN", Name="Client"
        )
        it.library.latest.listener.on_log(line.SerializeToString())
        await it.until_fact(WaLinkKind.DEAF)
        await it.until_fact(WaLinkKind.CONNECTED, 2)


async def test_learns_its_own_lid_from_the_library(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        await it.until_fact(WaLinkKind.CONNECTED)
        assert it.session.own == OwnAddresses(pn=WaJid(user=LOGIN, server="s.whatsapp.net"))
        jid, lid = (
            it.protobuf.messages.JID(User=user, Server=server, Device=1, RawAgent=0, Integrator=0, IsEmpty=False)
            for user, server in ((LOGIN, "s.whatsapp.net"), ("1001", "lid"))
        )
        device = it.protobuf.messages.Device(JID=jid, LID=lid)
        it.library.emit(DEVICE_CODE, device.SerializePartialToString())
        it.library.emit(12, it.protobuf.messages.Disconnected(status=True).SerializeToString())
        await it.until_fact(WaLinkKind.DISCONNECTED)
        assert WaJid(user="1001", server="lid") in it.session.own
