"""Pictures we make ourselves."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image file and what a client wants to know of it."""

    data: bytes = field(repr=False)
    mimetype: str
    filename: str
    width: int
    height: int
