"""Hosts are started, found again, replaced and filled as they should be; no library involved."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.errors import StartupError, WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import JournalSeq, LoginId
from mautrix_whatsapp_py.model.wa import WaEvent
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.folders import DataFolder
from mautrix_whatsapp_py.whatsapp.network import Network
from mautrix_whatsapp_py.whatsapp.options import HostLimits, NetworkOptions

A, B, C = (LoginId(f"1555000{number}") for number in (1111, 2222, 3333))


class Sink:
    """Implements WaEventSink."""

    def __init__(self) -> None:
        self.events: list[tuple[LoginId, JournalSeq]] = []
        self.states: dict[LoginId, WaState] = {}
        self.changed = asyncio.Event()

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        self.events.append((login, seq))
        self.changed.set()

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        self.states[login] = state
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                if not condition():
                    await self.changed.wait()

    async def until_connected(self, *logins: LoginId) -> None:
        await self.until(
            lambda: all(
                login in self.states and self.states[login].kind is WaStateKind.CONNECTED for login in logins
            )
        )


class Stand:
    """A data folder with some sessions, and a way to see what its hosts were told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = folder / "host.log"
        monkeypatch.setenv("FAKE_HOST_LOG", str(self.log))
        self.monkeypatch = monkeypatch
        self.options = NetworkOptions(
            folder=folder / "data",
            host_command=(sys.executable, "-m", "tests.unit.whatsapp.fake_host"),
            restart_first_seconds=0.01,
            restart_cap_seconds=0.05,
            keeps_links_on_stop=False,
            host_start_seconds=10.0,
        )

    def mode(self, mode: str) -> None:
        self.monkeypatch.setenv("FAKE_HOST_MODE", mode)

    def add_session(self, login: LoginId, used_at: int = 0) -> None:
        folder = DataFolder(path=self.options.folder).ensure().get_session(login).ensure()
        folder.journal.touch()
        os.utime(folder.journal, (used_at, used_at))

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    async def until_line(self, line: str, count: int = 1) -> None:
        async with asyncio.timeout(20):
            while sum(found.startswith(line) for found in self.lines) < count:
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def network(self, **changes: Any) -> AsyncIterator[tuple[Network, Sink]]:
        sink = Sink()
        network = Network(replace(self.options, **changes), sink)
        await network.start()
        try:
            yield network, sink
        finally:
            await network.stop()


@pytest.fixture
def it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    return Stand(tmp_path, monkeypatch)


async def test_nothing_runs_without_logins(it: Stand) -> None:
    async with it.network() as (network, _):
        assert network.get_logins() == ()
        assert it.lines == []


async def test_logins_resume_most_recently_used_first(it: Stand) -> None:
    for number, login in enumerate((B, C, A)):
        it.add_session(login, used_at=number * 1000)
    async with it.network(sessions_per_host=2) as (network, sink):
        await sink.until_connected(A, B, C)
        assert network.get_logins() == (A, C, B)
        assert [tuple(slot.logins) for slot in network.berths.slots] == [(A, C), (B,)]


async def test_repeated_events_reach_the_sink_once(it: Stand) -> None:
    it.add_session(A)
    async with it.network() as (network, sink):
        await sink.until(lambda: len(sink.events) == 2)
        client = network.get_client(A)
        assert client is not None
        client.ack(JournalSeq(5))
        client.ack(JournalSeq(6))
        await it.until_line("Ack 5")
        await it.until_line("Ack 6")
        assert sink.events == [(A, 5), (A, 6)]


async def test_a_killed_host_is_replaced_and_repeats_nothing_known(it: Stand) -> None:
    it.add_session(A)
    async with it.network() as (network, sink):
        await sink.until(lambda: len(sink.events) == 2)
        sink.states.clear()
        os.kill(network.berths.slots[0].pid, signal.SIGKILL)
        await sink.until(lambda: A in sink.states)
        await sink.until_connected(A)
        await it.until_line("start", 2)
        assert sink.events == [(A, 5), (A, 6)]
        assert network.berths.slots[0].deaths == 1
        assert len(network.host_folders()) == 1


async def test_a_host_that_dies_at_once_is_tried_again(it: Stand) -> None:
    it.add_session(A)
    it.mode("die")
    async with it.network() as (network, sink):
        await it.until_line("start", 3)
        it.mode("ok")
        await sink.until_connected(A)
        client = network.get_client(A)
        assert client is not None


async def test_a_session_that_could_not_be_started_is_started_later(it: Stand) -> None:
    it.add_session(A)
    it.mode("reluctant")
    async with it.network(session_retry_seconds=0.01) as (network, sink):
        await sink.until_connected(A)
        await it.until_line("StartSession", 2)
        assert network.berths.slots[0].deaths == 0


async def test_a_host_is_found_again_by_the_next_bridge(it: Stand) -> None:
    it.add_session(A)
    async with it.network(keeps_links_on_stop=True) as (network, sink):
        await sink.until_connected(A)
        pid = network.berths.slots[0].pid
    async with it.network() as (network, _):
        assert network.berths.slots[0].pid == pid
        assert network.get_logins() == (A,)
        assert sum(line.startswith("start") for line in it.lines) == 1
    assert "Shutdown" in it.lines


async def test_a_host_of_another_version_is_replaced(it: Stand) -> None:
    it.add_session(A)
    async with it.network(keeps_links_on_stop=True) as (network, sink):
        await sink.until_connected(A)
    it.monkeypatch.setattr("mautrix_whatsapp_py.whatsapp.wire.VERSION", wire.VERSION + 1)
    async with it.network(keeps_links_on_stop=False, host_start_seconds=1.0) as (network, _):
        await it.until_line("Shutdown")
        assert network.get_logins() == (A,)


async def test_left_over_folders_go(it: Stand) -> None:
    data = DataFolder(path=it.options.folder).ensure()
    (data.hosts / "dead").mkdir()
    (data.pairings / "dead").mkdir()
    async with it.network() as (network, _):
        assert network.host_folders() == ()
        assert list(data.pairings.iterdir()) == []


async def test_a_worn_host_is_emptied_and_ended(it: Stand) -> None:
    it.add_session(A)
    it.monkeypatch.setenv("THREADS", "99")
    async with it.network(limits=HostLimits(threads=50)) as (network, sink):
        await sink.until_connected(A)
        worn = network.berths.slots[0]
        it.monkeypatch.setenv("THREADS", "1")
        await it.until_line("Shutdown")
        assert "StopSession" in it.lines
        await sink.until_connected(A)
        async with asyncio.timeout(20):
            while worn in network.berths.slots:
                await asyncio.sleep(0.01)


async def test_disconnect_is_remembered(it: Stand) -> None:
    it.add_session(A)
    async with it.network() as (network, sink):
        await sink.until_connected(A)
        await network.disconnect(A)
        assert sink.states[A].error == "wa-not-connected"
    async with it.network() as (network, sink):
        assert sink.states[A].error == "wa-not-connected"
        await network.connect(A)
        await sink.until_connected(A)


async def test_a_deleted_session_leaves_nothing(it: Stand) -> None:
    it.add_session(A)
    async with it.network() as (network, sink):
        await sink.until_connected(A)
        await network.delete_session(A)
        assert network.get_logins() == ()
        assert not (it.options.folder / "sessions" / A).exists()


async def test_requests_without_a_host_say_so(it: Stand) -> None:
    it.add_session(A)
    it.mode("die")
    async with it.network() as (network, _):
        client = network.get_client(A)
        assert client is not None
        with pytest.raises(WhatsAppUnavailable):
            await client.fetch_stats()


async def test_a_refusal_is_an_error_of_ours(it: Stand) -> None:
    it.mode("refuse")
    async with it.network() as (network, _):
        attempt = await network.start_pairing()
        (step,) = [step async for step in attempt.steps()]
        assert getattr(step, "reason", "") == "host"


async def test_too_many_pairings(it: Stand) -> None:
    async with it.network(max_pairings=0) as (network, _):
        with pytest.raises(WhatsAppUnavailable, match="Try again"):
            await network.start_pairing()


async def test_two_bridges_on_one_folder(it: Stand) -> None:
    async with it.network():
        with pytest.raises(StartupError, match="another bridge"):
            await Network(it.options, Sink()).start()


def test_errors_keep_their_code() -> None:
    assert WhatsAppRefused(code="x").code == "x"
