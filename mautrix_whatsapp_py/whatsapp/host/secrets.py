"""Reads of the library's own tables: what became of a message, recognised by the secret it carries."""

from __future__ import annotations

from pathlib import Path

from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.whatsapp.folders import TableQuery


def get_message_id(database: Path, secret: bytes, query: TableQuery) -> WaMessageId | None:
    """The id of the message that carries this secret; None: the library never began to send it."""
    if not secret or not database.exists():
        return None
    rows = query(database, "SELECT message_id FROM whatsmeow_message_secrets WHERE key = ? LIMIT 1", (secret,))
    return WaMessageId(str(rows[0][0])) if rows else None
