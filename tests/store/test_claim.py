"""A Postgres database belongs to one bridge at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreError
from mautrix_whatsapp_py.store.claim import Claim
from mautrix_whatsapp_py.store.url import PostgresAddress, decode_database_url
from tests.fakes.clock import FakeClock
from tests.postgres import Postgres

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    postgres.create_database(name)
    yield name
    postgres.drop_database(name)


@pytest.fixture
async def claims(postgres: Postgres, database: str) -> AsyncIterator[tuple[Claim, Claim]]:
    address = decode_database_url(postgres.url(database))
    assert isinstance(address, PostgresAddress)
    both = Claim(address, FakeClock()), Claim(address, FakeClock())
    yield both
    for claim in both:
        await claim.release()


async def test_the_second_bridge_is_refused_until_the_first_is_gone(claims: tuple[Claim, Claim]) -> None:
    first, second = claims
    await first.acquire(tries=1)
    with pytest.raises(StartupError, match="Another bridge is running") as caught:
        await second.acquire(tries=1)
    assert caught.value.code is ExitCode.DATABASE_UNAVAILABLE
    await first.check()
    await first.release()
    await second.acquire(tries=1)


async def test_a_cut_connection_is_mended(postgres: Postgres, database: str, claims: tuple[Claim, Claim]) -> None:
    first, second = claims
    await first.acquire(tries=1)
    postgres.execute(CUT, database=database)
    await first.check()
    await first.check()
    with pytest.raises(StartupError):
        await second.acquire(tries=1)


async def test_a_database_taken_meanwhile_ends_the_first_bridge(
    postgres: Postgres, database: str, claims: tuple[Claim, Claim]
) -> None:
    first, second = claims
    await first.acquire(tries=1)
    postgres.execute(CUT, database=database)
    await second.acquire(tries=1)
    await first.check()
    with pytest.raises(StoreError, match="Another bridge has taken"):
        await first.check()


async def test_a_database_that_is_away_is_named() -> None:
    claim = Claim(PostgresAddress(dsn="postgresql://nobody@127.0.0.1:1/x", name="x on nowhere"), FakeClock())
    with pytest.raises(StartupError, match="the Postgres database x on nowhere cannot be opened"):
        await claim.acquire()
    await claim.release()


async def test_workers_share_what_a_bridge_alone_does_not_get(postgres: Postgres, database: str) -> None:
    address = decode_database_url(postgres.url(database))
    assert isinstance(address, PostgresAddress)
    workers = [Claim(address, FakeClock(), is_shared=True) for _ in range(2)]
    alone = Claim(address, FakeClock())
    for worker in workers:
        await worker.acquire(tries=1)
        await worker.check()
    with pytest.raises(StartupError, match="Another bridge is running"):
        await alone.acquire(tries=1)
    for worker in workers:
        await worker.release()
    await alone.acquire(tries=1)
    with pytest.raises(StartupError, match="Another bridge is running"):
        await workers[0].acquire(tries=1)
    for claim in (*workers, alone):
        await claim.release()
