"""Reads of the library's own tables: what became of a message, recognised by the secret it carries."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mautrix_whatsapp_py.ids import WaMessageId


def get_message_id(database: Path, secret: bytes) -> WaMessageId | None:
    """The id of the message that carries this secret; None: the library never began to send it."""
    if not secret or not database.exists():
        return None
    with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=10)) as connection:
        row = connection.execute(
            "SELECT message_id FROM whatsmeow_message_secrets WHERE key = ? LIMIT 1", (secret,)
        ).fetchone()
    return WaMessageId(str(row[0])) if row else None
