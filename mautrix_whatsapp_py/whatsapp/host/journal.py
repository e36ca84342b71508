"""The journal of a session: every event the library gives us, on disk before anything else happens to it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from mautrix_whatsapp_py.ids import JournalSeq
from mautrix_whatsapp_py.whatsapp.folders import PRIVATE_FILE, ensure_private_folder

LARGE_BYTES = 128 * 1024
"""Bodies above this go to a file of their own."""
_DELETE_AT_ONCE = 500
_SEQ_PER_SECOND = 1_000_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    code INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    body BLOB,
    file TEXT
);
CREATE TABLE IF NOT EXISTS send (
    send_id TEXT PRIMARY KEY,
    secret BLOB NOT NULL,
    message_id TEXT,
    outcome BLOB,
    created_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class JournalFull(Exception):
    """The disk does not take the event."""


class JournalAway(Exception):
    """The journal cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A journalled event; a large one's body is in `file`."""

    seq: JournalSeq
    code: int
    received_at: datetime
    body: bytes
    file: Path | None = None

    def read(self) -> bytes:
        """The body, wherever it is."""
        return self.body if self.file is None else self.file.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRow:
    """What is known of a send; `outcome` is the encoded answer once there is one."""

    send_id: str
    secret: bytes
    message_id: str | None
    outcome: bytes | None


class EventJournal(Protocol):
    """What a session remembers; safe from any thread."""

    @property
    def depth(self) -> int:
        """Events not acknowledged yet."""

    def append(self, code: int, body: bytes, *, as_file: bool = False) -> None:
        """Store an event; JournalFull or JournalAway when it cannot be stored."""

    def get_after(self, seq: int, limit: int) -> list[Row]:
        """Events after a position, in order."""

    def delete(self, seqs: Sequence[JournalSeq]) -> int:
        """Forget acknowledged events; how many there were."""

    def add_send(self, send_id: str, secret: bytes) -> None:
        """Note a send before it is tried; a known one stays as it is."""

    def get_send(self, send_id: str) -> SendRow | None:
        """What is known of a send."""

    def set_sent(self, send_id: str, message_id: str, outcome: bytes) -> None:
        """Note what became of a send."""

    def delete_sends(self, send_ids: Sequence[str]) -> None:
        """Forget sends the bridge has recorded."""

    def get_fact(self, name: str) -> str:
        """A remembered fact, empty when there is none."""

    def set_fact(self, name: str, value: str) -> None:
        """Remember a fact; an empty value forgets it."""

    def close(self) -> None:
        """Let go; what was appended stays."""


class Journal:
    """One SQLite file; safe from any thread; a killed process loses nothing that `append` returned from.

    Sequence numbers start at the clock, so that a journal made anew never repeats those of its predecessor.
    """

    def __init__(self, path: Path, blobs: Path, *, page_limit: int = 0) -> None:
        self._path = path
        self._blobs = ensure_private_folder(blobs)
        self._lock = threading.Lock()
        path.touch(mode=PRIVATE_FILE, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._execute("PRAGMA journal_mode=WAL")
        # Commits survive the death of the process; the server's own copy covers a power cut no worse than FULL
        # would, because the library acknowledges up to a hundred events ahead of us.
        self._execute("PRAGMA synchronous=NORMAL")
        if page_limit:
            self._execute(f"PRAGMA max_page_count={page_limit}")
        self._connection.executescript(_SCHEMA)
        self._start_sequence()
        for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            if name.exists():
                name.chmod(PRIVATE_FILE)

    def _start_sequence(self) -> None:
        if self._execute("SELECT 1 FROM sqlite_sequence WHERE name = 'event'"):
            return
        start = int(time.time()) * _SEQ_PER_SECOND
        self._execute("INSERT INTO sqlite_sequence(name, seq) VALUES ('event', ?)", (start,))

    def _execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    # Events

    def append(self, code: int, body: bytes, *, as_file: bool = False) -> None:
        """Store an event; JournalFull when the disk does not take it, and then nothing was stored."""
        received_ms = time.time_ns() // 1_000_000
        name: str | None = None
        try:
            if as_file or len(body) > LARGE_BYTES:
                name = self._write_blob(body)
            self._execute(
                "INSERT INTO event(code, received_ms, body, file) VALUES (?, ?, ?, ?)",
                (code, received_ms, None if name else body, name),
            )
        except (OSError, sqlite3.OperationalError) as error:
            if name:
                (self._blobs / name).unlink(missing_ok=True)
            raise JournalFull from error

    def _write_blob(self, body: bytes) -> str:
        name = uuid.uuid4().hex
        write_private(self._blobs / name, body)
        return name

    def get_after(self, seq: int, limit: int) -> list[Row]:
        """Events after a position, in order."""
        rows = self._execute(
            "SELECT seq, code, received_ms, body, file FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        )
        return [self._row(*row) for row in rows]

    def _row(self, seq: object, code: object, received_ms: object, body: object, file: object) -> Row:
        assert isinstance(seq, int)
        assert isinstance(code, int)
        assert isinstance(received_ms, int)
        return Row(
            seq=JournalSeq(seq),
            code=code,
            received_at=datetime.fromtimestamp(received_ms / 1000, tz=UTC),
            body=body if isinstance(body, bytes) else b"",
            file=self._blobs / file if isinstance(file, str) else None,
        )

    def delete(self, seqs: Sequence[JournalSeq]) -> int:
        """Forget acknowledged events and their files, in one transaction; how many there were."""
        deleted, files = 0, []
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for start in range(0, len(seqs), _DELETE_AT_ONCE):
                some = seqs[start : start + _DELETE_AT_ONCE]
                chosen = f"WHERE seq IN ({','.join('?' * len(some))})"
                find = f"SELECT file FROM event {chosen} AND file IS NOT NULL"  # noqa: S608 only marks
                files += self._connection.execute(find, some).fetchall()
                deleted += self._connection.execute(f"DELETE FROM event {chosen}", some).rowcount  # noqa: S608
        for (name,) in files:
            path = self._blobs / name
            path.unlink(missing_ok=True)
        return deleted

    @property
    def depth(self) -> int:
        """Events not acknowledged yet."""
        ((count,),) = self._execute("SELECT count(*) FROM event")
        assert isinstance(count, int)
        return count

    # Sends

    def add_send(self, send_id: str, secret: bytes) -> None:
        """Note a send before it is tried; a known one stays as it is."""
        self._execute(
            "INSERT OR IGNORE INTO send(send_id, secret, created_ms) VALUES (?, ?, ?)",
            (send_id, secret, time.time_ns() // 1_000_000),
        )

    def get_send(self, send_id: str) -> SendRow | None:
        """What is known of a send."""
        rows = self._execute("SELECT secret, message_id, outcome FROM send WHERE send_id = ?", (send_id,))
        if not rows:
            return None
        secret, message_id, outcome = rows[0]
        return SendRow(
            send_id=send_id,
            secret=secret if isinstance(secret, bytes) else b"",
            message_id=message_id if isinstance(message_id, str) else None,
            outcome=outcome if isinstance(outcome, bytes) else None,
        )

    def set_sent(self, send_id: str, message_id: str, outcome: bytes) -> None:
        """Note what became of a send."""
        self._execute(
            "UPDATE send SET message_id = ?, outcome = ? WHERE send_id = ?", (message_id, outcome, send_id)
        )

    def delete_sends(self, send_ids: Sequence[str]) -> None:
        """Forget sends the bridge has recorded."""
        if send_ids:
            marks = ",".join("?" * len(send_ids))
            self._execute(f"DELETE FROM send WHERE send_id IN ({marks})", send_ids)  # noqa: S608

    # Facts

    def get_fact(self, name: str) -> str:
        """A remembered fact, empty when there is none."""
        rows = self._execute("SELECT value FROM fact WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    def set_fact(self, name: str, value: str) -> None:
        """Remember a fact; an empty value forgets it."""
        if value:
            self._execute("INSERT OR REPLACE INTO fact(name, value) VALUES (?, ?)", (name, value))
        else:
            self._execute("DELETE FROM fact WHERE name = ?", (name,))

    def close(self) -> None:
        """Close the file; what was appended stays."""
        with self._lock:
            self._connection.close()


def write_private(path: Path, body: bytes) -> None:
    """Write a file only we can read; nothing is left of it when the disk is full."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def merge_journal(source: Path, target: Path) -> None:
    """Append the events of a pairing's journal to the one its login already has; the files keep their names."""
    with closing(sqlite3.connect(target, timeout=10, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS newer", (str(source),))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO main.event(code, received_ms, body, file)"
            " SELECT code, received_ms, body, file FROM newer.event ORDER BY seq"
        )
        connection.execute("DELETE FROM newer.event")
        connection.execute("COMMIT")
