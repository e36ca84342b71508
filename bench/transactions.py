"""How many Matrix events per second the endpoint stores: real HTTP from another process, a SQLite file behind.

Run `python -m bench.transactions`; it prints its result and writes bench/results/transactions.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import uvloop

from mautrix_whatsapp_py.ids import InboxSeq, MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.intake import Intake
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxEvent
from mautrix_whatsapp_py.store.engine import SQLITE_SYNCHRONOUS
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.migrate import migrate
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench" / "results" / "transactions.json"
TOKEN = "bench"
TARGET_EVENTS_PER_SECOND = 5000
EVENTS_PER_TRANSACTION = 100
RUNS = 5


class WallClock:
    """The port Clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


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


async def send(port: int, transactions: int) -> None:
    """Push transactions one after the other, as a homeserver does; prints the seconds it took."""
    bodies = [make_body(number) for number in range(transactions)]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        start = time.perf_counter()
        for number, body in enumerate(bodies):
            async with http.put(f"http://127.0.0.1:{port}/transactions/{number}", data=body) as response:
                assert response.status == 200
        print(time.perf_counter() - start)


async def run_once(folder: Path, *, synchronous: str, transactions: int) -> dict[str, float]:
    """Store so many transactions in a new database, then mark a part handled one by one."""
    address = SqliteAddress(path=folder / "bridge.db")
    await migrate(address)
    store = Store(address, sqlite_synchronous=synchronous)
    sink, inbox = CountingSink(), Inbox(store, WallClock())

    async def is_ghost(_user: MxUserId) -> bool:
        return False

    appservice = AppService(
        Intake(inbox, sink, on_to_device=lambda _messages: None),
        Hooks(is_ghost=is_ghost, unready_parts=lambda: ()),
        bot=MxUserId("@bot:example.org"),
        hs_token=TOKEN,
    )
    await appservice.start("127.0.0.1", 0)
    command = (sys.executable, "-m", "bench.transactions", "--send-to", str(appservice.port))
    sender = await asyncio.create_subprocess_exec(
        *command, "--transactions", str(transactions), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await sender.communicate()
    await appservice.stop()
    assert sender.returncode == 0
    assert sink.count == transactions * EVENTS_PER_TRANSACTION == len(await inbox.get_pending())
    handled_per_second = await mark_handled(inbox, sink.last, count=500)
    await store.close()
    return {"events_per_second": sink.count / float(output), "handled_per_second": handled_per_second}


async def mark_handled(inbox: Inbox, last: InboxSeq, *, count: int) -> float:
    start = time.perf_counter()
    for number in range(count):
        await inbox.mark_handled(InboxSeq(last - number))
    return count / (time.perf_counter() - start)


def measure_fsyncs(folder: Path, *, count: int = 300) -> float:
    """Bare appends of one page with fsync, per second: the disk's own limit on commits."""
    file = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY)
    start = time.perf_counter()
    for number in range(count):
        os.pwrite(file, b"\1" * 4096, number * 4096)
        os.fsync(file)
    seconds = time.perf_counter() - start
    os.close(file)
    return count / seconds


async def measure(root: Path, *, synchronous: str, transactions: int) -> dict[str, object]:
    runs = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(dir=root) as folder:
            runs.append(await run_once(Path(folder), synchronous=synchronous, transactions=transactions))
    rates = sorted(run["events_per_second"] for run in runs)
    return {
        "synchronous": synchronous,
        "events_per_second_median": round(statistics.median(rates)),
        "events_per_second_runs": [round(rate) for rate in rates],
        "handled_one_by_one_per_second_median": round(
            statistics.median(run["handled_per_second"] for run in runs)
        ),
    }


async def main(transactions: int, folder: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as root:
        fsyncs = measure_fsyncs(Path(root))
        results = [
            await measure(Path(root), synchronous=setting, transactions=transactions)
            for setting in ("FULL", "NORMAL")
        ]
    ours = next(result for result in results if result["synchronous"] == SQLITE_SYNCHRONOUS)
    report = {
        "target_events_per_second": TARGET_EVENTS_PER_SECOND,
        "events_per_second": ours["events_per_second_median"],
        "synchronous_in_use": SQLITE_SYNCHRONOUS,
        "fsyncs_per_second": round(fsyncs),
        "events_per_transaction": EVENTS_PER_TRANSACTION,
        "transactions_per_run": transactions,
        "bytes_per_transaction": len(make_body(0)),
        "settings": results,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "cores": os.cpu_count(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where the database lies; the disk matters")
    parser.add_argument("--send-to", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send_to:
        uvloop.run(send(options.send_to, options.transactions))
    else:
        uvloop.run(main(options.transactions, options.folder))
