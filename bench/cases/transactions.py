"""How many Matrix events per second the endpoint stores: real HTTP from another process, a SQLite file behind.

TMPDIR says where the file lies: the disk decides what waiting for it costs.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvloop

from bench.figures import Figure
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.ids import InboxSeq, MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.intake import Intake
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxEvent
from mautrix_whatsapp_py.store.engine import SQLITE_SYNCHRONOUS
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.migrate import migrate
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "bench"
EVENTS_PER_TRANSACTION = 100
TRANSACTIONS = 200
FSYNCS = 300
HANDLED = 500
RUNS = 5


class CountingSink:
    """The port MxEventSink."""

    def __init__(self) -> None:
        self.count = 0
        self.last = InboxSeq(0)

    def on_mx_event(self, event: MxEvent, seq: InboxSeq) -> None:
        self.count += 1
        self.last = seq

    def on_mx_ephemeral(self, event: MxEphemeral) -> None:
        raise AssertionError


def make_body(transaction: int) -> bytes:
    """A transaction of text messages, each about 800 bytes."""
    events = [
        {
            "event_id": f"$bench{transaction:08}x{number:04}abcdefghijklmnopqrstuvwxyz",
            "room_id": f"!room{number % 20}:example.org",
            "sender": f"@user{number % 50}:example.org",
            "type": "m.room.message",
            "origin_server_ts": 1_760_000_000_000 + number,
            "content": {"msgtype": "m.text", "body": "An ordinary message. " * 25, "m.mentions": {}},
            "unsigned": {"age": 12},
        }
        for number in range(EVENTS_PER_TRANSACTION)
    ]
    return json.dumps({"events": events}).encode()


async def send(port: int) -> None:
    """Push transactions one after the other, as a homeserver does; prints the seconds it took."""
    bodies = [make_body(number) for number in range(TRANSACTIONS)]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        start = time.perf_counter()
        for number, body in enumerate(bodies):
            async with http.put(f"http://127.0.0.1:{port}/transactions/{number}", data=body) as response:
                assert response.status == 200
        print(time.perf_counter() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Rates of one run."""

    stored_per_second: float
    handled_per_second: float


async def run_once(folder: Path, *, synchronous: str) -> Run:
    """Store transactions in a new database, then mark some of their events handled one by one."""
    address = SqliteAddress(path=folder / "bridge.db")
    await migrate(address)
    store = Store(address, sqlite_synchronous=synchronous)
    sink, inbox = CountingSink(), Inbox(store, SystemClock())

    async def is_ghost(_user: MxUserId) -> bool:
        return False

    appservice = AppService(
        Intake(inbox, sink),
        Hooks(is_ghost=is_ghost, unready_parts=lambda: ()),
        bot=MxUserId("@bot:example.org"),
        hs_token=TOKEN,
    )
    await appservice.start("127.0.0.1", 0)
    command = (sys.executable, "-m", "bench.cases.transactions", str(appservice.port))
    sender = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    output, _ = await sender.communicate()
    await appservice.stop()
    assert sender.returncode == 0
    assert sink.count == TRANSACTIONS * EVENTS_PER_TRANSACTION == len(await inbox.get_pending())
    handled_per_second = await measure_handling(inbox, sink.last)
    await store.close()
    return Run(stored_per_second=sink.count / float(output), handled_per_second=handled_per_second)


async def measure_handling(inbox: Inbox, last: InboxSeq) -> float:
    """Events marked handled per second, each in a transaction of its own."""
    start = time.perf_counter()
    for number in range(HANDLED):
        await inbox.mark_handled(InboxSeq(last - number))
    return HANDLED / (time.perf_counter() - start)


def measure_fsyncs(folder: Path) -> float:
    """Bare appends of one page with fsync per second: the disk's own limit on commits."""
    file = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY)
    start = time.perf_counter()
    for number in range(FSYNCS):
        os.pwrite(file, b"\1" * 4096, number * 4096)
        os.fsync(file)
    seconds = time.perf_counter() - start
    os.close(file)
    return FSYNCS / seconds


async def measure() -> Sequence[Figure]:
    """Several runs with the setting in use and, for comparison, with the one that may lose the last seconds."""
    runs: dict[str, list[Run]] = {SQLITE_SYNCHRONOUS: [], "NORMAL": []}
    with tempfile.TemporaryDirectory() as root:
        fsyncs = measure_fsyncs(Path(root))
        for synchronous in list(runs) * RUNS:
            with tempfile.TemporaryDirectory(dir=root) as folder:
                runs[synchronous].append(await run_once(Path(folder), synchronous=synchronous))
    disk = f"{os.cpu_count()} cores, {fsyncs:.0f} fsyncs/s"
    return (
        describe(SQLITE_SYNCHRONOUS, runs[SQLITE_SYNCHRONOUS], disk=disk, target="5,000 events/s"),
        describe("NORMAL, not used: power loss loses what was acknowledged", runs["NORMAL"], disk=disk),
        Figure(
            what=f"events marked handled one by one, SQLite (synchronous = {SQLITE_SYNCHRONOUS})",
            value=f"{statistics.median(run.handled_per_second for run in runs[SQLITE_SYNCHRONOUS]):,.0f} events/s",
        ),
    )


def describe(setting: str, runs: Sequence[Run], *, disk: str, target: str = "") -> Figure:
    """The median of several runs and how far they lie apart."""
    rates = [run.stored_per_second for run in runs]
    return Figure(
        what=f"events stored in batches of {EVENTS_PER_TRANSACTION}, SQLite (synchronous = {setting})",
        value=f"{statistics.median(rates):,.0f} events/s"
        f" ({min(rates):,.0f} to {max(rates):,.0f} in {len(rates)} runs; {disk})",
        target=target,
    )


if __name__ == "__main__":
    uvloop.run(send(int(sys.argv[1])))
