"""In which order tests run, so that no worker has a long one left when the others are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def deal(items: Sequence[Item], workers: int, *, is_long: Callable[[Item], bool]) -> list[Item]:
    """The items so that, cut into as many even pieces as there are workers, each piece begins with its long ones.

    That is how pytest-xdist's worksteal hands them out; short ones are taken over by whoever is done first.
    """
    long = [item for item in items if is_long(item)]
    short = [item for item in items if not is_long(item)]
    dealt: list[Item] = []
    for number in range(workers):
        share = (len(items) - len(dealt)) // (workers - number)
        mine = long[number::workers]
        rest = max(0, share - len(mine))
        dealt += [*mine, *short[:rest]]
        short = short[rest:]
    return dealt + short
