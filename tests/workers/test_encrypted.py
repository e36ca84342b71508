"""Encrypted rooms whose worker dies: the next one reads and writes in them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.encrypted_client import EncryptedClient, link
from tests.homeserver import PortPool, Registration
from tests.homeserver.synapse import PASSWORD
from tests.postgres import OwnPostgres
from tests.simulator.api import host_command, simulator
from tests.workers.roads import Balancer

pytestmark = [
    pytest.mark.synapse,
    pytest.mark.neonize,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

BOT = "@whatsappbot:localhost"
WAIT_SECONDS = 60
LEASE_SECONDS = 5
ENCRYPTION: dict[str, object] = {
    "allow": True,
    "default": True,
    "require": True,
    "self_sign": True,
    "pickle_key": "a long random text of the test",
}


async def test_rooms_stay_readable_when_a_worker_dies(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database: OwnPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with simulator(tmp_path / "wa") as wa, AsyncExitStack() as stack:
        monkeypatch.setenv("SSL_CERT_FILE", str(wa.authority.ca_file))
        balancer = Balancer(port := ports.reserve(), tmp_path)
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        uri = database.create_database("bridge")
        workers = [
            make_bridge(
                synapse.url,
                registration,
                port=ports.reserve(),
                database_uri=uri,
                sections={
                    "whatsapp": {"host_command": list(host_command(wa))},
                    "network": {"proxy": wa.proxy_url},
                    "cluster": {"enabled": True, "worker": f"w{number}", "lease_ttl": LEASE_SECONDS},
                    "encryption": ENCRYPTION,
                },
            )
            for number in range(2)
        ]
        await balancer.start(tuple(worker.url for worker in workers))
        stack.push_async_callback(balancer.stop)
        await synapse.create_user("alice")
        first, second = workers
        await first.start()
        alice = await EncryptedClient.log_in(synapse.url, "@alice:localhost", PASSWORD, tmp_path / "nio")
        stack.push_async_callback(alice.aclose)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Ben")
        dm = await alice.open_dm(BOT)
        await alice.heard("management room")
        await link(alice, phone, dm)
        second.process.launch()
        await ben.phone.text(phone.pn, "hello")
        room = (await alice.heard("hello")).source["room_id"]
        await alice.say(room, "hi Ben")
        assert (await ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == "hi Ben"
        devices = set(alice.client.device_store[BOT])
        for name, dies in (("first", first), ("second", second)):
            await dies.kill()
            # With a key that only the dead one was given, and with one that nobody was there to be given.
            await alice.say(room, f"known to the {name}")
            alice.rotate(room)
            await alice.say(room, f"new after the {name}")
            for words in (f"known to the {name}", f"new after the {name}"):
                assert (await ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == words
            await ben.phone.text(phone.pn, f"without the {name}")
            await alice.heard(f"without the {name}", room=room)
            dies.process.launch()
        # For others they are one device, which nobody has to verify anew.
        assert set(alice.client.device_store[BOT]) == devices
        assert not alice.unreadable
