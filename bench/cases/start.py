"""How long the bridge takes to be ready and what it holds in memory when nothing happens."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from tests.homeserver import BridgeProcess, PortPool, Registration, Synapse

STARTS = 5


async def measure() -> Sequence[Figure]:
    """One Synapse, one bridge, several starts on the database the first start made."""
    ports = PortPool()
    port = ports.reserve()
    registration = Registration(url=f"http://127.0.0.1:{port}")
    with tempfile.TemporaryDirectory() as name:
        synapse = Synapse(Path(name) / "synapse", port=ports.reserve(), registrations=[registration])
        bridge = BridgeProcess(
            Path(name) / "bridge", homeserver_url=synapse.url, registration=registration, port=port
        )
        try:
            await synapse.start()
            await bridge.start()
            await bridge.stop()
            return await _measure_starts(bridge)
        finally:
            bridge.discard()
            synapse.discard()
            ports.release()


async def _measure_starts(bridge: BridgeProcess) -> Sequence[Figure]:
    seconds: list[float] = []
    resident: list[int] = []
    for _ in range(STARTS):
        begin = time.perf_counter()
        await bridge.start()
        seconds.append(time.perf_counter() - begin)
        resident.append(bridge.process.resident_bytes)
        await bridge.stop()
    return (
        Figure(
            what="start to ready, SQLite, existing database",
            value=f"{statistics.median(seconds):.2f} s (worst of {STARTS}: {max(seconds):.2f} s)",
            target="under 2 s",
        ),
        Figure(what="resident memory, idle", value=f"{max(resident) / 1e6:.0f} MB", target="under 90 MB"),
    )
