"""The homeserver of the tests on Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.conftest import MakeSynapse
from tests.homeserver import PostgresDatabase, SynapseTemplate
from tests.postgres import Postgres, running_postgres

pytestmark = pytest.mark.synapse


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


async def test_it_keeps_its_users_in_postgres(
    postgres: Postgres, make_synapse: MakeSynapse, synapse_template: SynapseTemplate
) -> None:
    server = PostgresDatabase(host=postgres.socket_folder, name="postgres")
    database = await synapse_template.postgres(server, "synapse_of_a_test")
    synapse = await make_synapse(database=database)
    account = await synapse.create_user("alice")
    rows = await asyncio.to_thread(postgres.execute, "SELECT name FROM users", database=database.name)
    assert rows == [(account.user_id,)]
    await synapse.aclose()

    other = await make_synapse(database=await synapse_template.postgres(server, "synapse_of_another"))
    assert (await other.create_user("alice")).user_id == account.user_id
    await other.aclose()
    for name in ("synapse_of_a_test", "synapse_of_another"):
        await asyncio.to_thread(postgres.drop_database, name)
