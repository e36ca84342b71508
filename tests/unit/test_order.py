"""Long tests come first with every worker, and none is lost."""

from __future__ import annotations

import pytest

from tests.order import deal


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(("long", "short"), [(0, 0), (0, 7), (5, 0), (5, 2), (13, 100), (4, 8113)])
def test_every_piece_begins_with_its_long_ones(workers: int, long: int, short: int) -> None:
    items = [*(f"long {number}" for number in range(long)), *(f"short {number}" for number in range(short))]
    dealt = deal(items[::-1], workers, is_long=lambda item: item.startswith("long"))
    assert sorted(dealt) == sorted(items)
    pending = dealt
    for number in range(workers):
        # As worksteal cuts them.
        size = len(pending) // (workers - number)
        piece, pending = pending[:size], pending[size:]
        counts = [item.startswith("long") for item in piece]
        assert counts == sorted(counts, reverse=True)
        if short > long * workers:
            assert sum(counts) == len(range(number, long, workers))
