"""Files, as people have them: real homeserver, real bridge, real client library, simulated phones."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.flow.test_talk_on_synapse import BEN_NUMBER, WAIT_SECONDS, Talk, first_room
from tests.homeserver import PortPool, Registration
from tests.simulator.api import host_command, kinds, simulator
from tests.simulator.media_crypto import decrypt_media

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 4_000


@pytest.fixture
async def talk(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Talk]:
    async with simulator(tmp_path / "wa") as wa:
        monkeypatch.setenv("SSL_CERT_FILE", str(wa.authority.ca_file))
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "network": {"proxy": wa.proxy_url},
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account(BEN_NUMBER, "Ben")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await alice.scan(phone)
        await alice.until_connected()
        mark = alice.client.mark()
        first_id = await ben.phone.text(phone.pn, "hello")
        room = await first_room(alice.client, after=mark)
        first = await alice.client.wait_for_message(room, contains="hello", deadline_seconds=WAIT_SECONDS)
        yield Talk(stage=stage, ben=ben, room=room, ghost=first.sender, first=first, first_id=first_id)
        await bridge.stop()
        assert "Traceback" not in bridge.output


async def test_files_cross(talk: Talk) -> None:
    """A photo with a caption arrives as it was, each way; one that is gone is told of."""
    wa, alice, ben = talk.stage.wa, talk.alice, talk.ben
    file = kinds.upload(wa.media, PHOTO, "image")
    await ben.phone.send(talk.own.pn, kinds.image(file, caption="look *here*"))
    seen = await talk.hears("look")
    assert seen.content["msgtype"] == "m.image"
    assert seen.content["filename"] == "image.jpg"
    assert seen.content["formatted_body"] == "look <strong>here</strong>"
    server, media_id = seen.content["url"].removeprefix("mxc://").split("/")
    url = f"{talk.stage.synapse.url}/_matrix/client/v1/media/download/{server}/{media_id}"
    headers = {"Authorization": f"Bearer {alice.access_token}"}
    async with ClientSession() as session, session.get(url, headers=headers) as response:
        assert hashlib.sha256(await response.read()).digest() == hashlib.sha256(PHOTO).digest()
    sent = {
        "msgtype": "m.image",
        "body": "mine",
        "filename": "mine.jpg",
        "url": seen.content["url"],
        "info": {"mimetype": "image/jpeg", "w": 3, "h": 4},
    }
    await alice.send(talk.room, "m.room.message", sent)
    received = await asyncio.wait_for(ben.phone.receive_next(), WAIT_SECONDS)
    image = received.message.imageMessage
    assert (image.caption, image.mimetype, image.width, image.height) == ("mine", "image/jpeg", 3, 4)
    blob = wa.media.blobs[image.directPath.partition("?")[0]]
    assert decrypt_media(blob, image.mediaKey, "image") == PHOTO
    wa.media.blobs.clear()
    await ben.phone.send(talk.own.pn, kinds.image(file, caption="gone"))
    notice = await talk.hears("gone")
    assert notice.content["msgtype"] == "m.notice"
