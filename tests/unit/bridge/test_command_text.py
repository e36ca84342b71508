from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.from_matrix.message import command_text

IN_ROOMS = {
    "": None,
    "help": None,
    "!wa": "help",
    "!wa ": "help",
    "!WA help": "help",
    "!wa help": "help",
    "  !wa   help status ": "help status",
    "!wa\nhelp": "help",
    "!wax help": None,
    "say !wa help": None,
    "!wa 😀": "😀",
    "!wa " + "x" * 65536: "x" * 65536,
}
IN_MANAGEMENT_ROOM = {"": None, "  ": None, "help": "help", "!wa help": "help", "!wa": "help", "!wax": "!wax"}


@pytest.mark.parametrize("body", IN_ROOMS, ids=lambda body: body[:12])
def test_elsewhere_a_command_needs_its_prefix(body: str) -> None:
    assert command_text(body, prefix="!wa", is_management=False) == IN_ROOMS[body]


@pytest.mark.parametrize("body", IN_MANAGEMENT_ROOM)
def test_in_the_management_room_it_does_not(body: str) -> None:
    assert command_text(body, prefix="!wa", is_management=True) == IN_MANAGEMENT_ROOM[body]
