"""Every store test runs on a SQLite file and on a real Postgres."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from mautrix_whatsapp_py.store.migrate import migrate
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress, decode_database_url
from tests.fakes.clock import FakeClock
from tests.postgres import Postgres, locked, running_postgres

TEMPLATE = "bridge_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """A migrated database that tests copy."""
    with locked(Path(postgres.socket_folder).with_suffix(".template-lock")):
        url, is_new = postgres.ensure_database(TEMPLATE)
        if is_new:
            asyncio.run(migrate(decode_database_url(url)))
    return TEMPLATE


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that tests copy."""
    path = tmp_path_factory.mktemp("template") / "bridge.db"
    asyncio.run(migrate(SqliteAddress(path=path)))
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    """Address of an empty database."""
    if request.param == "sqlite":
        yield SqliteAddress(path=tmp_path / "bridge.db")
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    yield decode_database_url(postgres.create_database(name))
    postgres.drop_database(name)


@contextmanager
def migrated_copy(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    """Address of a database with our tables."""
    if kind == "sqlite":
        path = tmp_path / "bridge.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield SqliteAddress(path=path)
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    template: str = request.getfixturevalue("postgres_template")
    yield decode_database_url(postgres.create_database(name, template=template))
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    """Address of a database with our tables."""
    with migrated_copy(request.param, request, tmp_path) as address:
        yield address


@pytest.fixture
async def store(migrated: DatabaseAddress) -> AsyncIterator[Store]:
    """An open, migrated, empty database."""
    store = Store(migrated)
    yield store
    await store.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
