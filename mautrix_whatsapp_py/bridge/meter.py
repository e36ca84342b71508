"""Who is told how long things took; by default nobody."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Protocol

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Direction(StrEnum):
    """Where an event goes."""

    TO_MATRIX = "to_matrix"
    TO_WHATSAPP = "to_whatsapp"


class Meter(Protocol):
    """Notes figures; never waits or raises."""

    def note_event(self, direction: Direction, kind: str, seconds: float) -> None:
        """An event was handled, so many seconds after we had it."""


class NoMeter:
    """Notes nothing."""

    def note_event(self, direction: Direction, kind: str, seconds: float) -> None:
        """See Meter."""


def kind_of(event: object) -> str:
    """The kind of an event in figures."""
    return _WORD_START.sub("_", type(event).__name__[2:]).lower()
