"""The dictionary of the binary XML, read once from its data file."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Words by number and numbers by word."""

    version: int
    single: tuple[str, ...]
    double: tuple[tuple[str, ...], ...]
    single_index: dict[str, int]
    double_index: dict[str, tuple[int, int]]


@functools.cache
def tokens() -> Tokens:
    """The dictionary this simulator speaks."""
    raw = json.loads((Path(__file__).parent / "tables" / "tokens.json").read_text())
    single = tuple(raw["single"])
    double = tuple(tuple(table) for table in raw["double"])
    return Tokens(
        version=raw["version"],
        single=single,
        double=double,
        single_index={word: i for i, word in enumerate(single) if word},
        double_index={word: (t, i) for t, table in enumerate(double) for i, word in enumerate(table)},
    )
