"""Where sessions, hosts and their sockets live on disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mautrix_whatsapp_py.ids import LoginId, WaJid, decode_jid
from mautrix_whatsapp_py.whatsapp.tables import Database, Reader, read_here

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
_MAX_SOCKET_PATH = 100
_IDENTITY = (("SELECT jid FROM whatsmeow_device", ()), ("SELECT count(*) FROM whatsmeow_identity_keys", ()))


BUSY = "busy"
"""The code of a session file that can perhaps be used in a moment."""


class FolderBusy(Exception):
    """Another process holds the lock of this folder."""


class SessionFileError(Exception):
    """A session file that cannot be used; the code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def ensure_private_folder(path: Path) -> Path:
    """Make a folder nobody else can look into."""
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    path.chmod(PRIVATE_FOLDER)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFolder:
    """Files of one login."""

    path: Path

    @property
    def database(self) -> Path:
        """The client library's own tables: the credential."""
        return self.path / "session.db"

    @property
    def journal(self) -> Path:
        return self.path / "journal.db"

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    @property
    def history(self) -> Path:
        return self.path / "history"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def paused(self) -> Path:
        """Present while the user wants this login disconnected."""
        return self.path / "paused"

    def ensure(self) -> SessionFolder:
        """Make the folders and close the files to others."""
        ensure_private_folder(self.path)
        ensure_private_folder(self.blobs)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """The bridge's folder for everything about WhatsApp links."""

    path: Path

    @property
    def sessions(self) -> Path:
        return self.path / "sessions"

    @property
    def hosts(self) -> Path:
        return self.path / "hosts"

    @property
    def pairings(self) -> Path:
        return self.path / "pairings"

    @property
    def lock(self) -> Path:
        return self.path / "bridge.lock"

    def ensure(self) -> DataFolder:
        """Make the folders."""
        for path in (self.path, self.sessions, self.hosts, self.pairings):
            ensure_private_folder(path)
        return self

    def get_session(self, login: LoginId) -> SessionFolder:
        """The folder of a login, whether it exists or not."""
        if not login.isdigit():
            raise ValueError("a login id is digits")
        return SessionFolder(path=self.sessions / login)

    def get_logins(self) -> tuple[LoginId, ...]:
        """Logins with a session folder, most recently used first."""
        found = [
            (_used_at(entry), LoginId(entry.name))
            for entry in self.sessions.iterdir()
            if entry.is_dir() and entry.name.isdigit()
        ]
        return tuple(login for _, login in sorted(found, reverse=True))

    def delete_session(self, login: LoginId) -> None:
        """Delete credential, journal and payloads of a login."""
        shutil.rmtree(self.get_session(login).path, ignore_errors=True)


def _used_at(folder: Path) -> float:
    """When a session last did something: its journal or its tables changed."""
    files = ("journal.db-wal", "journal.db", "session.db-wal", "session.db")
    return max((path.stat().st_mtime for name in files if (path := folder / name).exists()), default=0.0)


def lock_file(path: Path) -> int:
    """Take the lock of a file for as long as the returned descriptor is open; FolderBusy when it is taken."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise FolderBusy(path.name) from error
    return descriptor


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """A name for a socket file that fits the kernel's limit however deep its folder lies."""
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def require_session_jid(database: Database, login: LoginId | None, read: Reader = read_here) -> WaJid:
    """The device address in a session's tables; SessionFileError when there is none or it is another account's.

    The client library takes its process down when it is asked for a device its tables do not hold.
    """
    if not database.exists():
        raise SessionFileError("missing")
    try:
        rows, _ = read(database, _IDENTITY)
    except sqlite3.OperationalError as error:
        # What the tables lack they will not get; a lock, a slow disk or too many open files may pass.
        raise SessionFileError("foreign" if "no such" in str(error) else BUSY) from error
    except sqlite3.DatabaseError as error:
        raise SessionFileError("corrupt") from error
    if not rows:
        raise SessionFileError("empty")
    if len(rows) > 1:
        raise SessionFileError("foreign")
    try:
        jid = decode_jid(str(rows[0][0]))
    except ValueError as error:
        raise SessionFileError("corrupt") from error
    if login is not None and jid.user != login:
        raise SessionFileError("foreign")
    return jid
