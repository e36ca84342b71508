"""Linking, as a user does it: real homeserver, real bridge, real client library, simulated phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.credentials import find_traces, read_credentials
from tests.flow.linking_stage import BOT, Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.postgres import Postgres
from tests.simulator.api import PairingRefusedError, WrongCodeError, host_command, simulator

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

NUMBER = "+15550001111"
SUCCESS = f"Successfully logged in as {NUMBER}"
both_databases = pytest.mark.parametrize("database_uri", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def database_uri(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None is the SQLite file in the bridge's folder."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"bridge_{uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
async def stage(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool, database_uri: str | None
) -> AsyncIterator[Stage]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections = {"whatsapp": {"host_command": list(host_command(wa))}}
        bridge = make_bridge(synapse.url, registration, port=port, database_uri=database_uri, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone = wa.add_account("15550001111", "Alice")
        yield Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        assert "15550001111" not in bridge.output


@both_databases
async def test_the_life_of_a_link(stage: Stage, database_uri: str | None) -> None:
    """Linked by QR code; resumed after a restart and a kill; unlinked on the phone; linked again; logged out.

    Then no byte of either link's credential is left.
    """
    alice = stage.alice
    mark = alice.client.mark()
    device = await stage.alice.scan(stage.phone)
    await alice.until_redacted(await alice.shown(after=mark))
    await alice.until_connected()
    async with asyncio.timeout(60):
        # What comes with a new link may still be under way.
        while "0 events waiting" not in (status := await alice.ask("status", answer=NUMBER)):
            await asyncio.sleep(0.1)
    assert "connected for" in status
    await stage.bridge.restart()
    await alice.until_connected()
    await stage.bridge.kill()
    await stage.bridge.start()
    await alice.until_connected()
    assert list(stage.phone.devices.values()) == [device]
    keys = read_credentials(stage.bridge.folder)
    mark = alice.client.mark()
    stage.phone.phone.unlink(device)
    await alice.heard(f"{NUMBER} was unlinked from the phone. Send `login` to link it again.", after=mark)
    await alice.ask("reconnect", answer="send `relogin`")
    mark = alice.client.mark()
    again = await alice.scan(stage.phone, "relogin")
    await alice.until_connected()
    keys |= read_credentials(stage.bridge.folder)
    assert find_traces(keys, stage.bridge.folder, database_uri), "the search finds what is there"
    await alice.ask("logout", answer=f"Unlinked {NUMBER}, here and on the phone")
    assert again.number not in stage.phone.devices
    assert stage.session_files() == []
    assert find_traces(keys, stage.bridge.folder, database_uri) == []
    await alice.ask("list-logins", answer="You have no WhatsApp account linked")
    said = [event.body for event in alice.client.events[mark.position :] if event.room_id == alice.room]
    assert not [body for body in said if "was unlinked from the phone" in body]


@both_databases
async def test_a_wrong_code_then_the_right_one(stage: Stage) -> None:
    alice = stage.alice
    first = await alice.code(f"login code {NUMBER}")
    with pytest.raises(WrongCodeError):
        await stage.phone.phone.enter_code(first[:-1] + ("A" if first[-1] != "A" else "B"))
    await stage.phone.phone.enter_code(await alice.code(f"login code {NUMBER}"))
    await alice.heard(SUCCESS)
    await alice.until_connected()
    assert first not in stage.bridge.output


async def test_cancel_then_two_people(stage: Stage) -> None:
    alice = stage.alice
    mark = alice.client.mark()
    await alice.client.send_text(alice.room, "login")
    shown = await alice.shown(after=mark)
    await alice.ask("login", answer="You are linking an account already")
    await alice.ask("cancel", answer="Stopped. Nothing was linked.")
    await alice.until_redacted(shown)
    with pytest.raises(PairingRefusedError):
        await stage.phone.phone.scan(await alice.read(shown))
    bob = await Seat.take(await stage.synapse.create_client("bob"), stage.bridge)
    await bob.scan(stage.wa.add_account("15550002222", "Bob"))
    await alice.scan(stage.phone)
    await bob.until_connected()
    await alice.until_connected()
    carla = stage.wa.add_account("15550003333", "Carla")
    mark = alice.client.mark()
    await carla.phone.text(stage.phone.pn, "for Alice")
    room = (await alice.client.wait_for_invite(sender=BOT, after=mark)).room_id
    await alice.client.join(room)
    mark = alice.client.mark()
    await bob.scan(stage.phone)
    await bob.heard("linked here by somebody else before")
    await alice.heard("was linked on this bridge by another person just now", after=mark)
    await alice.ask("list-logins", answer="You have no WhatsApp account linked")
    assert len(stage.phone.devices) == 1
    await alice.client.wait_for_membership(room, "@alice:localhost", "leave")
    mark = bob.client.mark()
    await carla.phone.text(stage.phone.pn, "for Bob")
    assert (await bob.client.wait_for_invite(sender=BOT, after=mark)).room_id == room


async def test_four_devices_and_a_bridge_killed_while_a_code_is_shown(stage: Stage) -> None:
    alice = stage.alice
    stage.phone.max_companions = 0
    stage.wa.faults.qr_refs = 1
    mark = alice.client.mark()
    await alice.client.send_text(alice.room, "login")
    shown = await alice.shown(after=mark)
    with pytest.raises(PairingRefusedError):
        await stage.phone.phone.scan(await alice.read(shown))
    await alice.heard("four devices are linked already", after=mark)
    await alice.until_redacted(shown)
    mark = alice.client.mark()
    await alice.client.send_text(alice.room, "login")
    shown = await alice.shown(after=mark)
    await stage.bridge.kill()
    await stage.bridge.start()
    await alice.heard("Linking was interrupted because the bridge restarted", after=mark)
    await alice.until_redacted(shown)
