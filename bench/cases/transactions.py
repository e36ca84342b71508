"""Events per second the transaction endpoint stores; see bench/transactions.py."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

from bench.figures import RESULTS, Figure


async def measure() -> Sequence[Figure]:
    """Run the measurement in a process of its own, as it is meant to run."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.transactions")
    if code := await process.wait():
        raise RuntimeError(f"bench.transactions ended with {code}")
    return figures()


def figures() -> Sequence[Figure]:
    """What the last measurement found."""
    found = json.loads((RESULTS / "transactions.json").read_text())
    what = f"events stored and answered for, SQLite, transactions of {found['events_per_transaction']}"
    return (
        Figure(
            what=what,
            value=f"{found['events_per_second']} per second",
            target=f"{found['target_events_per_second']} per second",
        ),
    )
