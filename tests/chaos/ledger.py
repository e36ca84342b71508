"""What was written, what was read, and the difference."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

Token = tuple[str, ...]
"""Something said, without the ids it has on either side."""
STATES = frozenset({"edit", "reaction"})
"""What says how something is from now on: phones show no difference when it is said again."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """How one direction of one or many chats came through."""

    written: int = 0
    lost: list[Token] = field(default_factory=list)
    doubled: list[Token] = field(default_factory=list)
    unexpected: list[Token] = field(default_factory=list)
    misplaced: list[Token] = field(default_factory=list)
    said_again: int = 0

    def add(self, other: Verdict) -> None:
        """Count another chat in."""
        self.written += other.written
        self.lost += other.lost
        self.doubled += other.doubled
        self.unexpected += other.unexpected
        self.misplaced += other.misplaced
        self.said_again += other.said_again

    def __str__(self) -> str:
        return (
            f"{self.written} written, {len(self.lost)} lost, {len(self.doubled)} doubled, "
            f"{len(self.misplaced)} out of order, {len(self.unexpected)} unexpected, "
            f"{self.said_again} said again"
        )

    @property
    def details(self) -> str:
        """What is wrong, for whoever reads a failure."""
        parts = {
            "lost": self.lost,
            "doubled": self.doubled,
            "unexpected": self.unexpected,
            "misplaced": self.misplaced,
        }
        return "\n".join(f"{name}: {tokens[:20]}" for name, tokens in parts.items() if tokens)


def compare(written: Sequence[Token], read: Sequence[Token], *, states: frozenset[str] = frozenset()) -> Verdict:
    """The difference; what was written is never the same twice. Of the kinds in `states` another one is none."""
    assert len(set(written)) == len(written)
    counts = Counter(read)
    place = {token: index for index, token in enumerate(written)}
    known = [token for token in dict.fromkeys(read) if token in place]
    misplaced = [after for before, after in itertools.pairwise(known) if place[after] < place[before]]
    twice = [token for token, count in counts.items() if count > 1]
    return Verdict(
        written=len(written),
        lost=[token for token in written if token not in counts],
        doubled=[token for token in twice if token[0] not in states],
        said_again=sum(token[0] in states for token in twice),
        unexpected=[token for token in counts if token not in place],
        misplaced=misplaced,
    )
