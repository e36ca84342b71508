"""A migrated, empty Synapse, prepared once per test run and copied from then on."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from tests.homeserver.ports import PortPool
from tests.homeserver.synapse import Synapse
from tests.homeserver.synapse_config import PostgresDatabase, SynapseDatabase

POSTGRES_TEMPLATE = "synapse_template"


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
        await asyncio.to_thread(self._prepare_postgres, server)
        await _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{POSTGRES_TEMPLATE}"')
        return replace(server, name=name)

    def _prepare_postgres(self, server: PostgresDatabase) -> None:
        unfinished = f"{POSTGRES_TEMPLATE}_unfinished"
        with _only_one(self.folder / "postgres.lock"):
            if asyncio.run(_exists(server, POSTGRES_TEMPLATE)):
                return
            collation = "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
            asyncio.run(_execute(server, f'DROP DATABASE IF EXISTS "{unfinished}"'))
            asyncio.run(_execute(server, f'CREATE DATABASE "{unfinished}" TEMPLATE template0 {collation}'))
            asyncio.run(_prepare(self.folder / "postgres", replace(server, name=unfinished)))
            asyncio.run(_execute(server, f'ALTER DATABASE "{unfinished}" RENAME TO "{POSTGRES_TEMPLATE}"'))


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


@asynccontextmanager
async def _connection(server: PostgresDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, database=server.name
    )
    try:
        yield connection
    finally:
        await connection.close()


async def _execute(server: PostgresDatabase, statement: str) -> None:
    async with _connection(server) as connection:
        await connection.execute(statement)


async def _exists(server: PostgresDatabase, name: str) -> bool:
    async with _connection(server) as connection:
        return bool(await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name))


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
