"""One file of the corpus."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A file, and what is true of it."""

    name: str
    mime_type: str
    data: bytes
    duration_ms: int = 0

    def __str__(self) -> str:
        return self.name
