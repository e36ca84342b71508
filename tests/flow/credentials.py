"""What makes up a link, and whether any byte of it is left somewhere."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

_QUERIES = (
    "SELECT noise_key, identity_key, signed_pre_key, adv_key FROM whatsmeow_device",
    "SELECT key FROM whatsmeow_pre_keys LIMIT 20",
    "SELECT key_data FROM whatsmeow_app_state_sync_keys",
)


def read_credentials(folder: Path) -> frozenset[bytes]:
    """The keys in every session file below a folder."""
    found: set[bytes] = set()
    for path in folder.rglob("session.db"):
        address = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            for query in _QUERIES:
                found.update(bytes(value) for row in connection.execute(query) for value in row)
    assert found, "no session was found"
    return frozenset(found)


def find_traces(keys: frozenset[bytes], folder: Path, database_uri: str | None) -> list[str]:
    """Files and tables that hold a key, raw or written in letters."""
    forms = [form for key in keys for form in _forms(key)]
    found = [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(form in content for content in [path.read_bytes()] for form in forms)
    ]
    if database_uri is not None:
        found += [table for table, text in _dump(database_uri) if any(form in text for form in forms)]
    return found


def _forms(key: bytes) -> tuple[bytes, ...]:
    as_hex = key.hex()
    return key, as_hex.encode(), as_hex.upper().encode(), base64.b64encode(key).rstrip(b"=")


def _dump(uri: str) -> list[tuple[str, bytes]]:
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [name for (name,) in cursor.fetchall()]
        found = []
        for name in names:
            cursor.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name)))
            found.append((name, "\n".join(row for (row,) in cursor.fetchall()).encode()))
    return found
