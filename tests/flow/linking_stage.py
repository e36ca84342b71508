"""A homeserver, a bridge and simulated phones, with alice in her management room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import zxingcpp
from PIL import Image

from tests.homeserver import BridgeProcess, MatrixClient, Synapse
from tests.homeserver.events import Event, Mark
from tests.simulator.api import Account, Device, Simulator

BOT = "@whatsappbot:localhost"


@dataclass(slots=True, kw_only=True)
class Seat:
    """Somebody in their management room."""

    client: MatrixClient
    room: str
    bridge: BridgeProcess

    @classmethod
    async def take(cls, client: MatrixClient, bridge: BridgeProcess) -> Seat:
        """Open a direct chat with the bot."""
        room = await client.create_room(invite=[BOT], is_direct=True)
        await client.wait_for_message(room, sender=BOT, contains="management room")
        return cls(client=client, room=room, bridge=bridge)

    async def ask(self, command: str, *, answer: str) -> str:
        """Send a command and wait for what answers it."""
        mark = self.client.mark()
        await self.client.send_text(self.room, command)
        return (await self.heard(answer, after=mark)).body

    async def heard(self, text: str, *, after: Mark | None = None) -> Event:
        """What the bot said."""
        return await self.client.wait_for_message(self.room, sender=BOT, contains=text, after=after)

    async def until_connected(self) -> None:
        """Ask until the link is up."""
        async with asyncio.timeout(60):
            while "is connected" not in await self.ask("ping", answer="+1555"):
                await asyncio.sleep(0.2)

    async def code(self, command: str) -> str:
        """A code to type."""
        said = await self.ask(command, answer="Your code is")
        return said.split("`")[1]

    async def scan(self, account: Account, command: str = "login") -> Device:
        """Link an account with the QR code on show."""
        mark = self.client.mark()
        await self.client.send_text(self.room, command)
        device = await account.phone.scan(await self.read(await self.shown(after=mark)))
        await self.heard(f"Successfully logged in as +{account.pn.user}", after=mark)
        return device

    async def shown(self, *, after: Mark) -> Event:
        """The QR code."""

        def is_picture(event: Event) -> bool:
            return event.room_id == self.room and event.content.get("msgtype") == "m.image"

        return await self.client.wait_for(is_picture, after=after)

    async def read(self, event: Event) -> str:
        """What a phone would read from a picture."""
        path = self.bridge.folder / "seen.png"
        path.write_bytes(await self.client.download(str(event.content["url"])))
        with Image.open(path) as image:
            # Other kinds of codes are found by chance in the pattern of some.
            (found,) = zxingcpp.read_barcodes(image.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
        return found.text

    async def until_redacted(self, event: Event) -> None:
        """Wait until an event is gone."""
        await self.client.wait_for(lambda seen: seen.redacts == event.event_id)


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything there is."""

    wa: Simulator
    synapse: Synapse
    bridge: BridgeProcess
    alice: Seat
    phone: Account

    def session_files(self) -> list[Path]:
        """What there is of the sessions of the account."""
        return list(self.bridge.folder.rglob(f"*{self.phone.pn.user}*"))
