"""A migrated, empty Synapse, prepared once per test run and copied from then on."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.homeserver.ports import PortPool
from tests.homeserver.synapse import Synapse
from tests.homeserver.synapse_config import PostgresDatabase, SynapseDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseTemplate:
    """The folder all workers of a test run share; whoever comes first fills it."""

    folder: Path

    def sqlite(self) -> Path:
        """A folder to copy: database file and signing key."""
        target = self.folder / "sqlite"
        with _only_one(self.folder / "sqlite.lock"):
            if not target.exists():
                asyncio.run(_prepare(self.folder / "sqlite-new", None))
                _keep_only_data(self.folder / "sqlite-new")
                (self.folder / "sqlite-new").rename(target)
        return target

    async def postgres(self, server: PostgresDatabase, name: str) -> PostgresDatabase:
        """A new database on the given server, a copy of one prepared there."""
        template = "synapse_template"
        await asyncio.to_thread(self._prepare_postgres, server, template)
        return await _create_database(server, name, template=template)

    def _prepare_postgres(self, server: PostgresDatabase, name: str) -> None:
        place = hashlib.sha256(f"{server.host}:{server.port}".encode()).hexdigest()[:12]
        with _only_one(self.folder / f"postgres-{place}.lock"):
            done = self.folder / f"postgres-{place}.done"
            if not done.exists():
                database = asyncio.run(_create_database(server, name, template="template0"))
                asyncio.run(_prepare(self.folder / f"postgres-{place}", database))
                done.touch()


async def _prepare(folder: Path, database: SynapseDatabase | None) -> None:
    ports = PortPool()
    try:
        synapse = Synapse(folder, port=ports.reserve(), database=database)
        try:
            await synapse.start()
            await synapse.stop()
        finally:
            synapse.discard()
    finally:
        ports.release()


def _keep_only_data(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_file() and path.name != "signing.key" and not path.name.startswith("homeserver.db"):
            path.unlink()


async def _create_database(server: PostgresDatabase, name: str, *, template: str) -> PostgresDatabase:
    connection = await asyncpg.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, database=server.name
    )
    try:
        await connection.execute(
            f"CREATE DATABASE \"{name}\" TEMPLATE \"{template}\" ENCODING UTF8 LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    finally:
        await connection.close()
    return PostgresDatabase(
        host=server.host, port=server.port, user=server.user, password=server.password, name=name
    )


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
