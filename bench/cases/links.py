"""What links cost, and whether reconnects make session hosts grow."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.figures import RESULTS, Figure
from bench.programs import run_program


async def measure() -> Sequence[Figure]:
    """Run bench/links.py and read what it found; it draws bench/results/links.svg as well."""
    await run_program("bench.links")
    return tuple(Figure(**item) for item in json.loads((RESULTS / "links.json").read_text()))
