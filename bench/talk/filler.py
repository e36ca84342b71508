"""Rows of chats nobody talks in, made by script."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mautrix_whatsapp_py.ids import PersonId
from mautrix_whatsapp_py.model.portal import direct_chat

_FIRST = 1_000_000


def add_portals(database: Path, receiver: str, count: int) -> None:
    """So many people with a direct chat and a room each; the bridge must be down."""
    numbers = range(_FIRST, _FIRST + count)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO persons (id, pn, ghost, name, name_rank, shown_name, avatar_id, avatar_uri)"
            " VALUES (?, ?, ?, ?, 1, ?, '', '')",
            (
                (number, f"9{number}", f"@whatsapp_9{number}:localhost", f"P {number}", f"P {number} (WA)")
                for number in numbers
            ),
        )
        connection.executemany(
            "INSERT INTO portals (id, chat, receiver, room_id, name, disappearing_seconds, is_lid_addressed)"
            " VALUES (?, ?, ?, ?, '', 0, 0)",
            (
                (number, str(direct_chat(PersonId(number))), receiver, f"!f{number}:localhost")
                for number in numbers
            ),
        )


def remove_portals(database: Path) -> None:
    """Undo `add_portals`."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM portals WHERE id >= ?", (_FIRST,))
        connection.execute("DELETE FROM persons WHERE id >= ?", (_FIRST,))
