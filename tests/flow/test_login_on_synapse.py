"""Linking, as a user does it: real homeserver, real bridge, real client library, simulated phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from tests.conftest import MakeBridge, MakeSynapse
from tests.homeserver import MatrixClient, PortPool, Registration
from tests.homeserver.events import Event
from tests.homeserver.runner import BridgeProcess
from tests.simulator.api import Account, Simulator, host_command, simulator

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

BOT = "@whatsappbot:localhost"


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything there is, with alice in her management room."""

    wa: Simulator
    bridge: BridgeProcess
    alice: MatrixClient
    room: str
    phone: Account

    async def ask(self, command: str, *, answer: str) -> Event:
        """Send a command and wait for what answers it."""
        mark = self.alice.mark()
        await self.alice.send_text(self.room, command)
        return await self.alice.wait_for_message(self.room, contains=answer, after=mark)

    async def ask_until(self, command: str, *, answer: str) -> Event:
        """Ask again and again until the answer is the awaited one."""
        async with asyncio.timeout(30):
            while True:
                mark = self.alice.mark()
                await self.alice.send_text(self.room, command)
                said = await self.alice.wait_for(
                    lambda event: event.is_message and event.sender == BOT and event.room_id == self.room,
                    after=mark,
                )
                if answer in said.body:
                    return said

    async def read_code(self, event: Event) -> str:
        """What a phone would read from the picture."""
        content = event.content.get("m.new_content", event.content)
        data = await self.alice.download(str(content["url"]))
        path = self.bridge.folder / "seen.png"
        path.write_bytes(data)
        with Image.open(path) as image:
            (found,) = zxingcpp.read_barcodes(image.convert("L"))
        return found.text

    async def link(self) -> None:
        """Scan the QR code with the simulated phone."""
        mark = self.alice.mark()
        await self.alice.send_text(self.room, "login")
        shown = await self.alice.wait_for(
            lambda event: event.room_id == self.room and event.content.get("msgtype") == "m.image", after=mark
        )
        await self.phone.phone.scan(await self.read_code(shown))
        await self.alice.wait_for_message(self.room, contains="Successfully logged in as +15550001111", after=mark)


@pytest.fixture
async def stage(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Stage]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections = {"whatsapp": {"host_command": list(host_command(wa))}}
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await synapse.create_client("alice")
        room = await alice.create_room(invite=[BOT], is_direct=True)
        await alice.wait_for_message(room, contains="management room")
        yield Stage(wa=wa, bridge=bridge, alice=alice, room=room, phone=wa.add_account("15550001111", "Alice"))
        await bridge.stop()


async def test_login_by_qr_then_logout(stage: Stage) -> None:
    await stage.link()
    await stage.ask_until("ping", answer="is connected")
    reply = await stage.ask("status", answer="+15550001111")
    assert "connected since" in reply.body
    assert "0 events waiting" in reply.body
    await stage.ask("logout", answer="Unlinked +15550001111")
    assert not stage.phone.devices
    await stage.ask("list-logins", answer="You have no WhatsApp account linked")
