"""Copies of the folders that hold WhatsApp sessions, taken while those are in use."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from mautrix_whatsapp_py.store.engine import ensure_private_file

PRIVATE_FOLDER = 0o700
SESSION, JOURNAL, BLOBS = "session.db", "journal.db", "blobs"
_LEFT_OUT = frozenset({"lock"})
_HEADER = b"SQLite format 3\x00"
_BUSY_SECONDS = 30.0


def copy_sessions(source: Path, target: Path) -> int:
    """Copy every account's folder; how many there are."""
    folders = sorted(entry for entry in source.iterdir() if entry.is_dir()) if source.is_dir() else []
    for folder in folders:
        copy_session_folder(folder, target / folder.name)
    return len(folders)


def copy_session_folder(source: Path, target: Path) -> None:
    """Copy one account's folder, in an order in which nothing is in no copy.

    Keys first: a message whose key was used after that is still in the journal, or handled. The journal last; what
    it holds and was handled meanwhile is known in the database, which is copied after it.
    """
    target.mkdir(mode=PRIVATE_FOLDER, parents=True)
    _copy(source / SESSION, target / SESSION)
    _copy_blobs(source / BLOBS, target / BLOBS)
    for entry in sorted(source.rglob("*")):
        place = entry.relative_to(source)
        if entry.is_file() and place.parts[0] not in (SESSION, JOURNAL, BLOBS, *_LEFT_OUT):
            _copy(entry, target / place)
    _copy(source / JOURNAL, target / JOURNAL)
    _copy_blobs(source / BLOBS, target / BLOBS)
    _forget_without_file(target / JOURNAL, target / BLOBS)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, of SQLite or not; a file that is gone meanwhile is no error."""
    _copy(source, target)


def _copy_blobs(source: Path, target: Path) -> None:
    target.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    for entry in sorted(source.iterdir()) if source.is_dir() else []:
        if not (target / entry.name).exists():
            _copy(entry, target / entry.name)


def _copy(source: Path, target: Path) -> None:
    if source.name.endswith(("-wal", "-shm", "-journal")) or not source.is_file():
        return
    target.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    try:
        with source.open("rb") as file:
            is_database = file.read(len(_HEADER)) == _HEADER
        if is_database:
            _copy_database(source, target)
        else:
            ensure_private_file(target)
            shutil.copyfile(source, target)
    except FileNotFoundError:
        target.unlink(missing_ok=True)


def _copy_database(source: Path, target: Path) -> None:
    ensure_private_file(target)
    address = f"file:{quote(str(source.absolute()))}?mode=rw"
    opened = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)
    with closing(opened) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _forget_without_file(journal: Path, blobs: Path) -> None:
    """Events whose file went between the two copies were acknowledged in that time."""
    if not journal.exists():
        return
    with closing(sqlite3.connect(journal)) as connection, connection:
        rows = connection.execute("SELECT seq, file FROM event WHERE file IS NOT NULL").fetchall()
        gone = [(seq,) for seq, name in rows if not (blobs / str(name)).exists()]
        connection.executemany("DELETE FROM event WHERE seq = ?", gone)
