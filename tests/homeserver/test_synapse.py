"""The homeserver of the tests does what the tests rely on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import MakeFaultProxy, MakeSynapse
from tests.homeserver import (
    Event,
    Fault,
    Kind,
    MatrixClient,
    MatrixRequestFailed,
    PortPool,
    Registration,
    SynapseTemplate,
)

pytestmark = pytest.mark.synapse


async def test_two_users_talk_and_see_all_of_it(make_synapse: MakeSynapse) -> None:
    synapse = await make_synapse()
    alice = await synapse.create_client("alice")
    bob = await synapse.create_client("bob")
    room = await alice.create_room(invite=[bob.user_id], is_direct=True)
    assert (await bob.wait_for_invite(sender=alice.user_id)).room_id == room
    await bob.join(room)
    await alice.wait_for_membership(room, bob.user_id, "join")

    first = await alice.send_text(room, "hello", txn_id="one")
    again = await alice.send_text(room, "hello", txn_id="one")
    assert first == again
    seen = await bob.wait_for_message(room, contains="hello")
    assert (seen.event_id, seen.sender) == (first, alice.user_id)

    await bob.send_receipt(room, first)
    await bob.set_typing(room, is_typing=True)
    await alice.wait_for(lambda event: event.type == "m.typing" and event.content["user_ids"] == [bob.user_id])
    await alice.wait_for(lambda event: event.type == "m.receipt" and first in event.content)

    redaction = await alice.redact(room, first)
    seen = await bob.wait_for(lambda event: event.type == "m.room.redaction")
    assert (seen.event_id, seen.redacts) == (redaction, first)
    assert [event.body for event in await bob.messages(room) if event.type == "m.room.message"] == [""]


async def test_state_and_media_come_back_as_sent(make_synapse: MakeSynapse) -> None:
    synapse = await make_synapse()
    alice = await synapse.create_client("alice")
    room = await alice.create_room()
    await alice.set_state(room, "m.room.topic", {"topic": "weather"})
    assert (await alice.get_state(room, "m.room.topic"))["topic"] == "weather"
    mxc = await alice.upload(b"not an image", mimetype="application/octet-stream", filename="a.bin")
    assert await alice.download(mxc) == b"not an image"
    with pytest.raises(MatrixRequestFailed, match="404 M_NOT_FOUND"):
        await alice.get_state(room, "m.room.name")


@pytest.mark.parametrize("synapse_nursery", [None], ids=["started"])
async def test_clients_live_through_restarts_and_crashes(make_synapse: MakeSynapse) -> None:
    synapse = await make_synapse()
    alice = await synapse.create_client("alice")
    bob = await synapse.create_client("bob")
    room = await alice.create_room(invite=[bob.user_id])
    await bob.join(room)
    for text, crash in (("after a restart", False), ("after a crash", True)):
        if crash:
            await synapse.kill()
            await synapse.start()
        else:
            await synapse.restart()
        await alice.send_text(room, text)
        await bob.wait_for_message(room, contains=text)
    assert len([event for event in bob.events if event.is_message]) == 2


async def test_users_log_in_on_a_second_device(make_synapse: MakeSynapse) -> None:
    synapse = await make_synapse()
    first = await synapse.create_user("alice", is_admin=True)
    second = await synapse.login("alice")
    assert first.user_id == second.user_id == "@alice:localhost"
    assert first.device_id != second.device_id


async def test_no_rate_limit_is_left(make_synapse: MakeSynapse) -> None:
    synapse = await make_synapse()
    alice = await synapse.create_client("alice")
    room = await alice.create_room()
    await asyncio.gather(*(alice.send_text(room, str(number)) for number in range(150)))
    seen = await alice.wait_for_all(lambda event: event.is_message, 150)
    assert {event.body for event in seen} == {str(number) for number in range(150)}


async def test_a_registration_is_loaded_and_its_ghosts_may_write(make_synapse: MakeSynapse) -> None:
    registration = Registration(url=None)
    synapse = await make_synapse(registration)
    alice = await synapse.create_client("alice")
    ghost = "@whatsapp_1:localhost"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {registration.as_token}"}) as http:
        body = {"type": "m.login.application_service", "username": "whatsapp_1", "inhibit_login": True}
        async with http.post(f"{synapse.url}/_matrix/client/v3/register", json=body) as response:
            assert response.status == 200, await response.text()
        room = await alice.create_room(invite=[ghost])
        as_ghost = {"user_id": ghost}
        async with http.post(f"{synapse.url}/_matrix/client/v3/join/{room}", json={}, params=as_ghost) as response:
            assert response.status == 200, await response.text()
    await alice.wait_for_membership(room, ghost, "join")


async def test_waiting_says_what_was_seen_instead(make_synapse: MakeSynapse) -> None:
    synapse = await make_synapse()
    alice = await synapse.create_client("alice")
    room = await alice.create_room()
    await alice.send_text(room, "something else")
    await alice.wait_for(lambda event: event.is_message)
    with pytest.raises(TimeoutError, match="something else"):
        await alice.wait_for(lambda event: event.body == "never sent", deadline_seconds=0.01)
    mark = alice.mark()
    with pytest.raises(TimeoutError, match="0 of 1"):
        await alice.wait_for(lambda event: event.is_message, after=mark, deadline_seconds=0.01)


async def test_a_server_that_cannot_start_says_why(make_synapse: MakeSynapse) -> None:
    with pytest.raises(RuntimeError, match="ended before it was ready"):
        await make_synapse(overrides={"server_name": "not a name"})


async def test_every_start_is_a_copy_of_one_template(
    synapse_template: SynapseTemplate, make_synapse: MakeSynapse
) -> None:
    template = await asyncio.to_thread(synapse_template.sqlite)
    names = {path.name for path in template.iterdir()}
    assert {"homeserver.db", "signing.key"} <= names
    assert not names & {"homeserver.yaml", "synapse.log"}
    synapse = await make_synapse()
    assert (synapse.folder / "signing.key").read_bytes() == (template / "signing.key").read_bytes()
    await synapse.create_user("alice")


async def test_a_cut_response_is_one_event_after_the_retry(
    make_synapse: MakeSynapse, make_fault_proxy: MakeFaultProxy
) -> None:
    synapse = await make_synapse()
    alice = await synapse.create_client("alice")
    room = await alice.create_room()
    proxy = await make_fault_proxy(synapse.port)
    through = MatrixClient(proxy.url, user_id=alice.user_id, access_token=alice.access_token)
    await through.start()
    proxy.cut_response_after_bytes = 1
    with pytest.raises(aiohttp.ClientError):
        await through.send_text(room, "once", txn_id="once")
    proxy.cut_response_after_bytes = None
    await through.send_text(room, "once", txn_id="once")
    await through.aclose()

    def is_once(event: Event) -> bool:
        return event.kind is Kind.TIMELINE and event.body == "once"

    await alice.wait_for(is_once)
    assert len([event for event in await alice.messages(room) if is_once(event)]) == 1


async def test_clients_reconnect_through_a_proxy_that_refused(
    make_synapse: MakeSynapse, make_fault_proxy: MakeFaultProxy
) -> None:
    synapse = await make_synapse()
    alice = await synapse.create_client("alice")
    room = await alice.create_room()
    proxy = await make_fault_proxy(synapse.port)
    through = MatrixClient(proxy.url, user_id=alice.user_id, access_token=alice.access_token)
    await through.start()
    await proxy.set_fault(Fault.REFUSE)
    await alice.send_text(room, "while away")
    await proxy.set_fault(None)
    await through.wait_for(lambda event: event.body == "while away")
    await through.aclose()


def test_ports_are_never_given_twice(tmp_path: Path) -> None:
    one, other = PortPool(tmp_path), PortPool(tmp_path)
    ports = [one.reserve() for _ in range(50)] + [other.reserve() for _ in range(50)]
    assert len(set(ports)) == 100
    one.release()
    other.release()
