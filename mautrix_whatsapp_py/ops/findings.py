"""What a check of the installation found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How bad it is."""

    WELL = "ok"
    ODD = "warning"
    ILL = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at, what was seen, and how it is mended."""

    name: str
    outcome: Outcome
    text: str
    mend: str = ""


def well(name: str, text: str) -> Finding:
    """All is as it should be."""
    return Finding(name=name, outcome=Outcome.WELL, text=text)


def odd(name: str, text: str, mend: str) -> Finding:
    """It works, but not as it should."""
    return Finding(name=name, outcome=Outcome.ODD, text=text, mend=mend)


def ill(name: str, text: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(name=name, outcome=Outcome.ILL, text=text, mend=mend)


def skipped(name: str, text: str) -> Finding:
    """It could not be looked at."""
    return Finding(name=name, outcome=Outcome.SKIPPED, text=text)


def is_ill(findings: Sequence[Finding]) -> bool:
    """Whether something does not work."""
    return any(finding.outcome is Outcome.ILL for finding in findings)


def to_text(findings: Sequence[Finding]) -> str:
    """Lines for people."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.outcome.value:>7}  {finding.name}: {finding.text}")
        if finding.mend:
            lines.append(f"         -> {finding.mend}")
    return "\n".join(lines)


def to_json(findings: Sequence[Finding]) -> str:
    """The same for machines."""
    shown = [
        {"name": one.name, "outcome": one.outcome.value, "text": one.text, "mend": one.mend} for one in findings
    ]
    return json.dumps({"well": not is_ill(findings), "findings": shown}, indent=2)
