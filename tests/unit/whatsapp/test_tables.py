"""Reading from another process is the same as reading here."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mautrix_whatsapp_py.whatsapp.tables import Reader, read_apart, read_here

READERS = [read_here, read_apart]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a?b#%20.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE item (name TEXT, number INTEGER)")
        connection.execute("INSERT INTO item VALUES ('é\"', 1), (NULL, 2)")
    return path


@pytest.mark.parametrize("read", READERS)
def test_rows(read: Reader, database: Path) -> None:
    queries = (("SELECT * FROM item ORDER BY number", ()), ("SELECT name FROM item WHERE number = ?", (1,)))
    assert read(database, queries) == [[('é"', 1), (None, 2)], [('é"',)]]


@pytest.mark.parametrize("read", READERS)
def test_what_cannot_be_read(read: Reader, database: Path, tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        read(database, [("SELECT 1 FROM absent", ())])
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        read(tmp_path / "nowhere.db", [("SELECT 1", ())])
    assert not (tmp_path / "nowhere.db").exists()
    (tmp_path / "broken.db").write_bytes(b"x" * 4096)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        read(tmp_path / "broken.db", [("SELECT 1 FROM item", ())])


def test_no_interpreter_no_answer(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(sqlite3.OperationalError, match="no answer"):
        read_apart(database, [("SELECT 1", ())])
