"""Workers of which nothing counts but what says who gets what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Implements Candidate; its holder is its name."""

    name: str
    weight: float = 1.0
    is_draining: bool = False
    age_seconds: float = 100.0

    @property
    def holder(self) -> str:
        return self.name
