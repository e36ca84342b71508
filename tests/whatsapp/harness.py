"""A network on the simulator, and a sink that remembers everything it was told."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from mautrix_whatsapp_py.ids import JournalSeq, LoginId, WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage
from mautrix_whatsapp_py.model.wa_link import WaPaired, WaPairingFailed, WaQrCode, WaState, WaStateKind
from mautrix_whatsapp_py.whatsapp.client import Client
from mautrix_whatsapp_py.whatsapp.host.timings import Timings
from mautrix_whatsapp_py.whatsapp.network import Network
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.pairing import PairingAttempt
from tests.simulator.api import Account, Device, Jid, Simulator, host_command

FAST = Timings(
    retry_first_seconds=0.1,
    retry_cap_seconds=0.5,
    refused_seconds=0.3,
    quiet_seconds=0.2,
    drain_seconds=5.0,
    disconnected_seconds=3.0,
    watch_seconds=0.2,
    stuck_seconds=1.0,
    silence_seconds=30.0,
    probe_seconds=2.0,
)
WAIT_SECONDS = 60.0


@dataclass(slots=True)
class Recorder:
    """Implements WaEventSink: records, acknowledges, and lets tests wait for what they expect."""

    events: list[tuple[LoginId, JournalSeq, WaEvent]] = field(default_factory=list)
    states: list[tuple[LoginId, WaState]] = field(default_factory=list)
    client_of: Callable[[LoginId], Client | None] = lambda _: None
    is_acknowledging: bool = True
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        self.events.append((login, seq, event))
        client = self.client_of(login)
        if self.is_acknowledging and client is not None:
            client.ack(seq)
        self._wake()

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        self.states.append((login, state))
        self._wake()

    def _wake(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], Any], *, seconds: float = WAIT_SECONDS) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    def texts(self, login: LoginId | None = None) -> list[str]:
        return [
            event.content.body
            for at, _, event in self.events
            if isinstance(event, WaMessage) and isinstance(event.content, WaText) and login in (None, at)
        ]

    def of_kind(self, kind: type[Any]) -> list[Any]:
        return [event for _, _, event in self.events if isinstance(event, kind)]

    def last_state(self, login: LoginId) -> WaState | None:
        return next((state for at, state in reversed(self.states) if at == login), None)

    async def until_state(self, login: LoginId, kind: WaStateKind, error: str = "") -> WaState:
        def reached() -> bool:
            state = self.last_state(login)
            return state is not None and state.kind is kind and state.error == error

        await self.until(reached)
        state = self.last_state(login)
        assert state is not None
        return state


@dataclass(slots=True)
class Bench:
    """A simulator and a network in front of it."""

    wa: Simulator
    options: NetworkOptions
    network: Network
    sink: Recorder

    async def pair(self, account: Account) -> tuple[Client, Device]:
        """Link an account by QR code and wait until it is connected."""
        attempt = await self.network.start_pairing()
        device, paired = await scan(attempt, account)
        login = paired.device.login
        await self.sink.until_state(login, WaStateKind.CONNECTED)
        client = self.network.get_client(login)
        assert client is not None
        return client, device

    async def restart_network(self) -> None:
        """Another bridge on the same folder."""
        await self.network.stop()
        self.start_over()
        await self.network.start()

    def start_over(self) -> None:
        self.sink = Recorder()
        self.network = Network(self.options, self.sink)
        self.sink.client_of = self.network.get_client

    def host_pids(self) -> list[int]:
        return [slot.pid for slot in self.network.berths.slots if slot.pid]

    def host_names(self) -> list[str]:
        return [slot.name for slot in self.network.berths.slots]


async def scan(attempt: PairingAttempt, account: Account) -> tuple[Device, WaPaired]:
    """Scan the first code and wait for the end of a pairing that succeeds."""
    device: Device | None = None
    async for step in attempt.steps():
        if isinstance(step, WaQrCode) and device is None:
            device = await account.phone.scan(step.data)
        if isinstance(step, WaPaired):
            assert device is not None
            return device, step
        assert not isinstance(step, WaPairingFailed), step
    raise AssertionError("no steps")


def options_for(wa: Simulator, folder: Path, **changes: Any) -> NetworkOptions:
    keepalive = changes.pop("keepalive", None)
    timings = changes.pop("timings", FAST)
    extra = {"keepalive": keepalive} if keepalive else {}
    base = NetworkOptions(
        folder=folder,
        host_command=tuple(host_command(wa, **extra)),
        timings=msgspec.json.encode(timings).decode(),
        keeps_links_on_stop=False,
        restart_first_seconds=0.1,
        restart_cap_seconds=1.0,
    )
    return replace(base, **changes)


@asynccontextmanager
async def bench(wa: Simulator, folder: Path, **changes: Any) -> AsyncIterator[Bench]:
    """A started network; every host process is gone afterwards."""
    options = options_for(wa, folder, **changes)
    sink = Recorder()
    network = Network(options, sink)
    sink.client_of = network.get_client
    made = Bench(wa=wa, options=options, network=network, sink=sink)
    await network.start()
    try:
        yield made
    finally:
        made.network.berths.options = replace(options, keeps_links_on_stop=False)
        await made.network.stop()


def to_wa_jid(jid: Jid) -> WaJid:
    return WaJid(user=jid.user, server=jid.server)


def report(text: str) -> None:
    """A figure for whoever reads the test's output."""
    sys.stdout.write(f"{text}\n")


def count_threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 a listing is all we want
