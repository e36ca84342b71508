"""Reads of the client library's own tables."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import quote

Rows = list[tuple[str | int | None, ...]]
Query = tuple[str, tuple[str | int, ...]]


class SharedTables(Protocol):
    """The tables of one session in a database that holds those of others too."""

    @property
    def library_name(self) -> str:
        """What the library calls the database."""

    def exists(self) -> bool:
        """Whether there is anything to read."""

    def read(self, queries: Sequence[Query]) -> list[Rows]:
        """Answer queries from the rows of this session; sqlite3.Error when it cannot."""


Database: TypeAlias = Path | SharedTables
"""A file of one session, or its part of a database."""
Reader = Callable[[Database, Sequence[Query]], list[Rows]]
"""Answers queries on a database; sqlite3.Error when it cannot."""
_TIMEOUT_SECONDS = 10
_PROGRAM = """
import json, sqlite3, sys
path, queries = json.load(sys.stdin)
try:
    connection = sqlite3.connect(path, uri=True, timeout=5)
    answer = {"rows": [connection.execute(sql, values).fetchall() for sql, values in queries]}
    connection.close()
except sqlite3.Error as error:
    answer = {"error": str(error), "is_passing": isinstance(error, sqlite3.OperationalError)}
json.dump(answer, sys.stdout)
"""


def read_here(database: Database, queries: Sequence[Query]) -> list[Rows]:
    """Read in this process: only where no other copy of SQLite has the database open in the same process."""
    if not isinstance(database, Path):
        return database.read(queries)
    with closing(sqlite3.connect(_address(database), uri=True, timeout=_TIMEOUT_SECONDS)) as connection:
        return [connection.execute(sql, values).fetchall() for sql, values in queries]


def read_apart(database: Database, queries: Sequence[Query]) -> list[Rows]:
    """Read in a process of its own, while the library has the database open in ours.

    The library brings its own SQLite. Locks on files belong to processes, so two copies in one process do not see
    each other's: ours would take itself for the last reader, and on closing delete the journal the library goes on
    writing to (sqlite.org/howtocorrupt.html, 2.2.1).
    """
    if not isinstance(database, Path):
        return database.read(queries)
    request = json.dumps([_address(database), queries])
    try:
        done = subprocess.run(  # noqa: S603 our own interpreter and program
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=request.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise sqlite3.OperationalError("no answer") from error
    answer = json.loads(done.stdout)
    if "error" in answer:
        kind = sqlite3.OperationalError if answer["is_passing"] else sqlite3.DatabaseError
        raise kind(answer["error"])
    return [[tuple(row) for row in rows] for rows in answer["rows"]]


def mark_of(database: Database) -> str:
    """Changes whenever a file of one session is written; empty where there is no such file."""
    if not isinstance(database, Path):
        return ""
    parts = []
    for path in (database, database.with_name(f"{database.name}-wal")):
        try:
            found = path.stat()
        except OSError:
            continue
        parts.append(f"{found.st_mtime_ns}.{found.st_size}")
    return "/".join(parts)


def _address(database: Path) -> str:
    return f"file:{quote(str(database))}?mode=rw"
