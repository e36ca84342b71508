"""Sessions in Postgres: another machine goes on where one was lost, and a lost lease ends a host."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from mautrix_whatsapp_py.app.moving import move_sessions
from mautrix_whatsapp_py.app.postgres_parts import PostgresParts
from mautrix_whatsapp_py.fencing import machine_seconds
from mautrix_whatsapp_py.ids import SendId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa_link import WaSent, WaStateKind
from mautrix_whatsapp_py.ops.backups import PlaceTaken
from mautrix_whatsapp_py.store.sessions import SessionRecords
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import PostgresAddress, decode_database_url
from mautrix_whatsapp_py.whatsapp.folders import DataFolder
from mautrix_whatsapp_py.whatsapp.keeping import Keeping
from mautrix_whatsapp_py.whatsapp.network import Network
from tests.postgres import Postgres
from tests.simulator.api import Simulator, simulator
from tests.store.conftest import postgres, postgres_template  # noqa: F401  fixtures of the store's tests
from tests.whatsapp.harness import Bench, Recorder, bench, options_for, to_wa_jid

pytestmark = pytest.mark.neonize
LONG_SECONDS = 600.0


@pytest.fixture
def database(postgres: Postgres, postgres_template: str) -> Iterator[str]:  # noqa: F811
    name = f"test_{uuid4().hex}"
    postgres.create_database(name, template=postgres_template)
    yield name
    postgres.drop_database(name)


def set_epoch(server: Postgres, database: str, epoch: int) -> None:
    server.execute(
        f"INSERT INTO leases VALUES ('bridge', {epoch}, 'holder {epoch}', 0, 0)"
        " ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder",
        database=database,
    )


@asynccontextmanager
async def machine(wa: Simulator, folder: Path, url: str, epoch: int) -> AsyncIterator[Bench]:
    """A network whose sessions are in the database, on a disk of its own."""
    address = decode_database_url(url)
    assert isinstance(address, PostgresAddress)
    until = machine_seconds() + LONG_SECONDS
    keeping = Keeping(dsn=url, holder=f"holder {epoch}", lease="bridge", epoch=epoch, until=until)
    options = options_for(wa, folder, keeping=keeping)
    store, sink = Store(address), Recorder()
    network = Network(options, sink, SessionRecords(store))
    sink.client_of = network.get_client
    await network.start()
    try:
        yield Bench(wa=wa, options=options, network=network, sink=sink)
    finally:
        network._options = replace(network._options, keeps_links_on_stop=False)
        await network.stop()
        await store.close()


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def gone(pid: int) -> None:
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        await asyncio.sleep(0.05)  # a process ends without telling


async def test_another_machine_goes_on(
    tmp_path: Path,
    postgres: Postgres,  # noqa: F811
    database: str,
) -> None:
    url = postgres.url(database)
    async with simulator(tmp_path / "wa") as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        set_epoch(postgres, database, 1)
        async with machine(wa, tmp_path / "first", url, 1) as it:
            client, _ = await it.pair(alice)
            login = client.login
            await bob.phone.text(alice.pn, "handled")
            await it.sink.until(lambda: "handled" in it.sink.texts())
            secret = os.urandom(32)
            sent = await client.send_message(
                to_wa_jid(bob.pn), WaText(body="once"), send_id=SendId("s1"), secret=secret
            )
            assert isinstance(sent, WaSent)
            await asyncio.sleep(0.3)  # acknowledgements are gathered for a moment
            it.sink.is_acknowledging = False
            await bob.phone.text(alice.pn, "journalled")
            await it.sink.until(lambda: "journalled" in it.sink.texts())
            kill(it.host_pids())
        set_epoch(postgres, database, 2)
        async with machine(wa, tmp_path / "second", url, 2) as it:
            await it.sink.until_state(login, WaStateKind.CONNECTED)
            await it.sink.until(lambda: "journalled" in it.sink.texts())
            assert it.sink.texts() == ["journalled"]
            again = it.network.get_client(login)
            assert again is not None
            repeated = await again.send_message(
                to_wa_jid(bob.pn), WaText(body="once"), send_id=SendId("s1"), secret=secret
            )
            assert repeated == sent
            await bob.phone.text(alice.pn, "later")
            await it.sink.until(lambda: "later" in it.sink.texts())
            await again.send_message(to_wa_jid(bob.pn), WaText(body="twice"), send_id=SendId("s2"))
            assert [(await bob.phone.receive_next()).text for _ in range(2)] == ["once", "twice"]
            await it.network.disconnect(login)
        async with machine(wa, tmp_path / "third", url, 2) as it:
            state = it.network.get_client(login)
            assert state is not None
            assert state.state.error == "wa-not-connected"
            await it.network.connect(login)
            await it.sink.until_state(login, WaStateKind.CONNECTED)
            await it.network.delete_session(login)
        async with machine(wa, tmp_path / "fourth", url, 2) as it:
            assert it.network.get_logins() == ()


async def test_a_session_in_files_moves_into_the_database_and_back(
    tmp_path: Path,
    postgres: Postgres,  # noqa: F811
    database: str,
) -> None:
    url = postgres.url(database)
    async with simulator(tmp_path / "wa") as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        async with bench(wa, tmp_path / "alone") as it:
            client, _ = await it.pair(alice)
            await bob.phone.text(alice.pn, "before")
            await it.sink.until(lambda: "before" in it.sink.texts())
            secret = os.urandom(32)
            sent = await client.send_message(
                to_wa_jid(bob.pn), WaText(body="once"), send_id=SendId("s1"), secret=secret
            )
            it.sink.is_acknowledging = False
            await bob.phone.text(alice.pn, "journalled")
            await it.sink.until(lambda: "journalled" in it.sink.texts())
        set_epoch(postgres, database, 1)
        keeping = Keeping(dsn=url, holder="mover", lease="bridge", epoch=1)
        store = Store(decode_database_url(url))
        for _ in range(2):
            await move_sessions(tmp_path / "alone", DataFolder(path=tmp_path / "shared"), store, keeping)
        await store.close()
        assert not list((tmp_path / "alone" / "sessions").iterdir())
        async with machine(wa, tmp_path / "shared", url, 1) as it:
            await it.sink.until_state(client.login, WaStateKind.CONNECTED)
            await it.sink.until(lambda: "journalled" in it.sink.texts())
            again = it.network.get_client(client.login)
            assert again is not None
            assert sent == await again.send_message(
                to_wa_jid(bob.pn), WaText(body="once"), send_id=SendId("s1"), secret=secret
            )
            await bob.phone.text(alice.pn, "after")
            await it.sink.until(lambda: "after" in it.sink.texts())
            assert "before" not in it.sink.texts()
            await asyncio.sleep(0.3)  # acknowledgements are gathered for a moment
            it.sink.is_acknowledging = False
            await bob.phone.text(alice.pn, "journalled there")
            await it.sink.until(lambda: "journalled there" in it.sink.texts())
        back, parts = tmp_path / "back", PostgresParts()
        assert await parts.export_sessions(decode_database_url(url), back / "sessions") == 1
        with pytest.raises(PlaceTaken):
            await parts.export_sessions(decode_database_url(url), back / "sessions")
        async with bench(wa, back) as it:
            await it.sink.until_state(client.login, WaStateKind.CONNECTED)
            await it.sink.until(lambda: "journalled there" in it.sink.texts())
            again = it.network.get_client(client.login)
            assert again is not None
            assert sent == await again.send_message(
                to_wa_jid(bob.pn), WaText(body="once"), send_id=SendId("s1"), secret=secret
            )
            await bob.phone.text(alice.pn, "in files again")
            await it.sink.until(lambda: "in files again" in it.sink.texts())
            assert it.sink.texts() == ["journalled there", "in files again"]
            await again.send_message(to_wa_jid(bob.pn), WaText(body="from files"), send_id=SendId("s2"))
            assert [(await bob.phone.receive_next()).text for _ in range(2)] == ["once", "from files"]


async def test_without_its_lease_a_host_ends(
    tmp_path: Path,
    postgres: Postgres,  # noqa: F811
    database: str,
) -> None:
    url = postgres.url(database)
    async with simulator(tmp_path / "wa") as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        set_epoch(postgres, database, 1)
        async with machine(wa, tmp_path / "first", url, 1) as it:
            await it.pair(alice)
            (pid,) = it.host_pids()
            # Another worker has the lease: what comes is not stored, and who took it ends.
            set_epoch(postgres, database, 2)
            newest = postgres.execute("SELECT last_value FROM wa_journal_seq_seq", database=database)
            await bob.phone.text(alice.pn, "refused")
            async with asyncio.timeout(30):
                await gone(pid)
            assert postgres.execute("SELECT last_value FROM wa_journal_seq_seq", database=database) == newest
            set_epoch(postgres, database, 1)
            async with asyncio.timeout(30):
                while it.host_pids() in ([], [pid]):
                    await asyncio.sleep(0.05)  # the next host starts without telling
            (pid,) = [one for one in it.host_pids() if one != pid]
            it.network.hold(machine_seconds() - 1)
            async with asyncio.timeout(30):
                await gone(pid)
