"""QR codes as terminals show them."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.cli.channel_run import draw_terminal
from tests.flow.screen import read_screen


@pytest.mark.parametrize("data", ["2@abc,def,ghi", "x", "2@" + "A" * 230])
def test_a_phone_can_scan_the_screen(data: str) -> None:
    assert read_screen(f"Scan this:\n{draw_terminal(data)}\n") == data
