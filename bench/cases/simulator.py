"""How fast the simulated WhatsApp is, so that it is never what a test waits for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.figures import RESULTS, Figure
from bench.programs import run_program

_WORDS = {
    "pairing": "simulator: pairing by QR, median",
    "inbound_500": "simulator: 500 messages to one client, in order",
    "outbound_100": "simulator: 100 messages from one client",
    "accounts_20": "simulator: 20 accounts paired and connected",
    "history_50000": "simulator: history of 50,000 messages",
}


async def measure() -> Sequence[Figure]:
    """Run bench/simulator.py and read what it found."""
    await run_program("bench.simulator")
    found = json.loads((RESULTS / "simulator.json").read_text())
    targets = found["targets"]
    return tuple(
        Figure(
            what=words,
            value=f"{found['seconds'][name]:.2f} s",
            target=f"under {targets[name]:g} s" if name in targets else "",
        )
        for name, words in _WORDS.items()
    )
