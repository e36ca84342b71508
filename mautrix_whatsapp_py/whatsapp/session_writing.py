"""Puts sessions from elsewhere into files."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from mautrix_whatsapp_py.model.session_copy import SessionCopy, TableCopy
from mautrix_whatsapp_py.whatsapp.blank import make_blank_session
from mautrix_whatsapp_py.whatsapp.folders import PRIVATE_FILE, SessionFolder
from mautrix_whatsapp_py.whatsapp.host.journal import Journal


def write_session(folder: SessionFolder, session: SessionCopy) -> None:
    """Make the files of a session, where none are; NoTables, sqlite3.Error and OSError when they cannot be."""
    folder.ensure()
    Journal(folder.journal, folder.blobs).close()
    with closing(sqlite3.connect(folder.journal)) as journal, journal:
        journal.executemany("INSERT INTO event(code, received_ms, body) VALUES (?, ?, ?)", session.events)
        columns = "send_id, secret, message_id, outcome, created_ms"
        journal.executemany(f"INSERT INTO send({columns}) VALUES (?, ?, ?, ?, ?)", session.sends)  # noqa: S608
        journal.executemany("INSERT INTO fact(name, value) VALUES (?, ?)", session.facts)
    if session.is_paused:
        folder.paused.touch(mode=PRIVATE_FILE)
    draft = folder.database.with_name("session.db.part")
    draft.unlink(missing_ok=True)
    make_blank_session(draft)
    with closing(sqlite3.connect(draft)) as connection:
        for table in session.tables:
            _fill(connection, table)
        connection.commit()
        # Nothing may stay beside the file that is renamed.
        connection.execute("PRAGMA journal_mode = DELETE")
    draft.chmod(PRIVATE_FILE)
    # Last: a session file marks the login as there.
    draft.replace(folder.database)


def _fill(connection: sqlite3.Connection, table: TableCopy) -> None:
    known = {str(row[1]) for row in connection.execute(f'PRAGMA table_info("{table.name}")')}
    places = [place for place, column in enumerate(table.columns) if column in known]
    if not places or not table.rows:
        return
    columns = ", ".join(f'"{table.columns[place]}"' for place in places)
    marks = ", ".join("?" * len(places))
    statement = f'INSERT OR REPLACE INTO "{table.name}" ({columns}) VALUES ({marks})'  # noqa: S608
    connection.executemany(statement, [[row[place] for place in places] for row in table.rows])
