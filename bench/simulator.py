"""How fast the simulator is with the real client library: `python -m bench.simulator`.

Targets: pairing under 300 ms, 500 inbound messages in order under 4 s, 20 accounts connected under 20 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.simulator.api import Jid, Simulator, simulator
from tests.simulator.history import HistoryChunk
from tests.simulator.tests.clients import conversation

ROUNDS = 5
TARGET_SECONDS = {"pairing": 0.3, "inbound_500": 4.0, "accounts_20": 20.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The medians of one run, in seconds."""

    pairing: float
    inbound_500: float
    outbound_100: float
    accounts_20: float
    history_50000: float


async def measure_pairing(wa: Simulator, number: int) -> float:
    """From connect to the event that the session is connected."""
    account = wa.add_account(f"1555000{number:04d}", f"User {number}")
    client = wa.client(f"user{number}")
    started = time.perf_counter()
    await client.pair(account)
    return time.perf_counter() - started


async def measure_inbound(wa: Simulator) -> float:
    """500 messages from one phone, each decrypted and seen in order."""
    alice, bob = wa.add_account("15551110001", "Alice"), wa.add_account("15551110002", "Bob")
    client = wa.client("inbound")
    await client.pair(alice)
    started = time.perf_counter()
    for number in range(500):
        await bob.phone.text(alice.pn, str(number))
    texts = [(await client.message(60)).Message.conversation for _ in range(500)]
    elapsed = time.perf_counter() - started
    if texts != [str(number) for number in range(500)]:
        raise SystemExit("messages arrived out of order")
    return elapsed


async def measure_outbound(wa: Simulator) -> float:
    """100 messages from the client, one after the other."""
    from neonize.utils.jid import build_jid

    alice, bob = wa.add_account("15552220001", "Alice"), wa.add_account("15552220002", "Bob")
    client = wa.client("outbound")
    await client.pair(alice)
    started = time.perf_counter()
    for number in range(100):
        await client.api.send_message(build_jid(bob.pn.user), str(number))
        await bob.phone.receive_next()
    return time.perf_counter() - started


async def measure_accounts(wa: Simulator) -> float:
    """20 accounts, one after the other as the library demands."""
    started = time.perf_counter()
    for number in range(20):
        await measure_pairing(wa, 1000 + number)
    return time.perf_counter() - started


async def measure_history(wa: Simulator) -> float:
    """50,000 messages in five chunks."""
    from neonize.aioze.events import HistorySyncEv

    alice = wa.add_account("15553330001", "Alice")
    client = wa.client("history")
    device = await client.pair(alice)
    chats = [conversation(Jid(f"2000{n}", "lid"), 100) for n in range(100)]
    started = time.perf_counter()
    for order in range(5):
        await alice.phone.send_history(device, HistoryChunk(sync_type="FULL", order=order, conversations=chats))
        await client.wait(HistorySyncEv, timeout_seconds=60)
    return time.perf_counter() - started


async def run(folder: Path) -> Result:
    """Measure everything on one simulator."""
    async with simulator(folder) as wa:
        # the first handshake of a process reads the TLS roots
        await measure_pairing(wa, 0)
        return Result(
            pairing=statistics.median([await measure_pairing(wa, n + 1) for n in range(ROUNDS)]),
            inbound_500=await measure_inbound(wa),
            outbound_100=await measure_outbound(wa),
            accounts_20=await measure_accounts(wa),
            history_50000=await measure_history(wa),
        )


def main() -> None:
    """Run, print and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "simulator.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = asdict(asyncio.run(run(Path(folder))))
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    missed = [name for name, limit in TARGET_SECONDS.items() if seconds[name] >= limit]
    report = {"seconds": seconds, "targets": TARGET_SECONDS, "missed": missed, "machine": machine}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    sys.stdout.flush()
    # threads of the native core may outlive their sessions
    os._exit(1 if missed else 0)


if __name__ == "__main__":
    main()
