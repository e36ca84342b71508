"""Figures: kept as JSON, shown in the README."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
BEGIN = "<!-- figures: written by `make bench` -->\n"
END = "<!-- /figures -->"
IS_SMALL = os.environ.get("BENCH") == "small"
"""To try a case out, where it has a small form: nothing is kept of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value and what it has to be, in words."""

    what: str
    value: str
    target: str = ""


def save(case: str, figures: Sequence[Figure]) -> None:
    """Replace a case's figures."""
    RESULTS.mkdir(exist_ok=True)
    document = [asdict(figure) for figure in figures]
    (RESULTS / f"{case}.figures.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def section(results: Path) -> str:
    """The README's section, markers included."""
    rows = [
        f"| {item['what']} | {item['value']} | {item['target']} |"
        for path in sorted(results.glob("*.figures.json"))
        for item in json.loads(path.read_text())
    ]
    table = ["| measured | value | target |", "|---|---|---|", *rows, ""] if rows else []
    return BEGIN + "\n".join(table) + END


def write_readme() -> None:
    """Put the figures there are into the README."""
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split(BEGIN, 1)
    readme.write_text(before + section(RESULTS) + rest.split(END, 1)[1])
