"""Lengths of time as people write them: 10s, 1m, 1h30m."""

from __future__ import annotations

import re
from datetime import timedelta

_WHOLE = re.compile(r"(?:\d+(?:ms|s|m|h))+")
_PART = re.compile(r"(\d+)(ms|s|m|h)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}


def decode_duration(text: str) -> timedelta:
    """A length of time; ValueError when it is none."""
    if _WHOLE.fullmatch(text) is None:
        raise ValueError("not a length of time")
    return sum((int(count) * _UNITS[unit] for count, unit in _PART.findall(text)), timedelta())
