"""All there is in the files of a session that nobody uses, to be put elsewhere."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from mautrix_whatsapp_py.model.session_copy import SessionCopy, TableCopy
from mautrix_whatsapp_py.whatsapp.folders import SessionFolder, ensure_private_folder

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'whatsmeow_%' ORDER BY rootpage"
_VERSION = "whatsmeow_version"


def read_session(folder: SessionFolder) -> SessionCopy:
    """Read the files; sqlite3.Error and OSError when they cannot be."""
    with closing(sqlite3.connect(folder.database)) as session:
        names = [str(name) for (name,) in session.execute(_TABLES) if name != _VERSION]
        tables = tuple(_read_table(session, name) for name in names)
    events: tuple[tuple[int, int, bytes], ...] = ()
    sends: tuple[tuple[str, bytes, str | None, bytes | None, int], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    if folder.journal.exists():
        with closing(sqlite3.connect(folder.journal)) as journal:
            rows = journal.execute("SELECT code, received_ms, body, file FROM event ORDER BY seq")
            events = tuple((code, at, _body(folder, body, file)) for code, at, body, file in rows)
            sends = tuple(journal.execute("SELECT send_id, secret, message_id, outcome, created_ms FROM send"))
            facts = tuple(journal.execute("SELECT name, value FROM fact"))
    return SessionCopy(tables=tables, events=events, sends=sends, facts=facts, is_paused=folder.paused.exists())


def put_aside(folder: SessionFolder, aside: Path, history: Path) -> None:
    """Keep the files where no bridge looks for them; the history that waits goes on where it is wanted."""
    ensure_private_folder(history.parent)
    if folder.history.exists() and not history.exists():
        shutil.move(folder.history, history)
    ensure_private_folder(aside)
    shutil.move(folder.path, aside / folder.path.name)


def _read_table(session: sqlite3.Connection, name: str) -> TableCopy:
    cursor = session.execute(f'SELECT * FROM "{name}"')  # noqa: S608  a name of SQLite's own
    columns = tuple(str(column[0]) for column in cursor.description)
    return TableCopy(name=name, columns=columns, rows=tuple(cursor.fetchall()))


def _body(folder: SessionFolder, body: bytes | None, file: str | None) -> bytes:
    return (folder.blobs / file).read_bytes() if file else body or b""
