"""What came of a takeover."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

OnProgress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being taken over, how many of it are done, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of thing: how many there were, and how many of them are here now."""

    what: str
    found: int
    here: int


@dataclass(slots=True, kw_only=True)
class Report:
    """Everything worth telling."""

    lines: list[Line] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What was not taken over, and why."""

    def add(self, what: str, *, found: int, here: int) -> None:
        """Count one kind of thing."""
        self.lines.append(Line(what=what, found=found, here=here))
