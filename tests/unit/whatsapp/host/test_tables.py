"""The process that reads the library's tables."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mautrix_whatsapp_py.whatsapp.folders import SessionFileError
from mautrix_whatsapp_py.whatsapp.host.tables import TableReader


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "session.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE facts (key BLOB, name TEXT, size INTEGER)")
        connection.execute("INSERT INTO facts VALUES (?, ?, ?)", (b"\x00\xff", "näme", 7))
        connection.commit()
    return path


@pytest.fixture
def reader() -> Iterator[TableReader]:
    made = TableReader()
    yield made
    made.close()


def test_rows_come_back_with_their_types(reader: TableReader, database: Path) -> None:
    assert reader.query(database, "SELECT * FROM facts WHERE key = ?", (b"\x00\xff",)) == [
        (b"\x00\xff", "näme", 7)
    ]
    assert reader.query(database, "SELECT * FROM facts WHERE name = ?", ("nobody",)) == []


def test_another_process_reads(reader: TableReader, database: Path) -> None:
    reader.query(database, "SELECT 1")
    assert reader._process is not None
    assert reader._process.pid != os.getpid()


def test_a_process_that_left_is_replaced(reader: TableReader, database: Path) -> None:
    reader.query(database, "SELECT 1")
    assert reader._process is not None
    reader._process.kill()
    reader._process.wait()
    assert reader.query(database, "SELECT size FROM facts") == [(7,)]


@pytest.mark.parametrize(
    ("content", "code"), [(b"not a database at all, but long enough", "corrupt"), (b"", "foreign")]
)
def test_files_that_are_none_are_named(reader: TableReader, tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(content)
    with pytest.raises(SessionFileError) as caught:
        reader.query(path, "SELECT jid FROM whatsmeow_device")
    assert caught.value.code == code
