"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mautrix_whatsapp_py.config.durations import decode_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1m", 60), ("1h30m", 5400), ("500ms", 0.5), ("0s", 0), ("1m5s", 65)]
)
def test_read(text: str, seconds: float) -> None:
    assert decode_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "1 m", "1d", "1.5h", "1m x"])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        decode_duration(text)
