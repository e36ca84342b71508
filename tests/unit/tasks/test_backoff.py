from __future__ import annotations

import pytest

from mautrix_whatsapp_py.tasks import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(first_seconds=1, cap_seconds=10, random=lambda: 0.5)
    assert [backoff.next_seconds() for _ in range(6)] == [1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(("drawn", "delay"), [(0.0, 7.5), (0.5, 10.0), (1.0, 12.5)])
def test_jitter_spreads_by_a_quarter(drawn: float, delay: float) -> None:
    assert Backoff(first_seconds=10, random=lambda: drawn).next_seconds() == delay


def test_reset_starts_over() -> None:
    backoff = Backoff(first_seconds=1, random=lambda: 0.5)
    for _ in range(3):
        backoff.next_seconds()
    backoff.reset()
    assert backoff.next_seconds() == 1


def test_a_thousand_tries_do_not_overflow() -> None:
    backoff = Backoff(cap_seconds=60, random=lambda: 0.5)
    delays = [backoff.next_seconds() for _ in range(2000)]
    assert delays[-1] == 60
