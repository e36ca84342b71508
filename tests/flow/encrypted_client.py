"""A client of another make that reads and writes in encrypted rooms."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zxingcpp
from nio import (
    Api,
    AsyncClient,
    AsyncClientConfig,
    BadEvent,
    Event,
    InviteMemberEvent,
    MegolmEvent,
    RoomMessage,
    ToDeviceMessage,
)
from nio.crypto.attachments import decrypt_attachment, encrypt_attachment
from PIL import Image

from tests.data.media.sample import Sample
from tests.simulator.api import Account

DEADLINE_SECONDS = 60


class EncryptedClient:
    """matrix-nio, whose ciphers are vodozemac's; the bridge uses libolm's."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.messages: list[RoomMessage] = []
        self.events: list[Event | BadEvent] = []
        self.unreadable: list[MegolmEvent] = []
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def log_in(cls, url: str, user: str, password: str, folder: Path) -> EncryptedClient:
        """A new device."""
        folder.mkdir(parents=True, exist_ok=True)
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True)
        client = AsyncClient(url, user, store_path=str(folder), config=config)
        await client.login(password)
        self = cls(client)
        # nio knows no encrypted stickers
        client.add_event_callback(self._on_event, (Event, BadEvent))
        client.add_event_callback(self._on_message, RoomMessage)
        client.add_event_callback(self._on_unreadable, MegolmEvent)
        client.add_event_callback(self._on_invite, InviteMemberEvent)
        self._task = asyncio.create_task(client.sync_forever(timeout=5000, full_state=True))
        await client.synced.wait()
        return self

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.client.close()

    async def open_dm(self, bot: str) -> str:
        """An encrypted direct chat."""
        state = [{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
        answer = await self.client.room_create(is_direct=True, invite=[bot], initial_state=state)
        return str(answer.room_id)

    async def say(self, room: str, body: str, **more: object) -> str:
        """Say something, encrypted."""
        return await self.send(room, "m.room.message", {"msgtype": "m.text", "body": body, **more})

    async def send(self, room: str, kind: str, content: dict[str, Any]) -> str:
        """Send an event, encrypted."""
        await self.until(lambda: room in self.client.rooms and self.client.rooms[room].encrypted)
        answer = await self.client.room_send(room, kind, content, ignore_unverified_devices=True)
        return str(answer.event_id)

    async def fetch_sealed(self, room: str, event_id: str) -> dict[str, object]:
        """An event's content as it lies on the homeserver."""
        method, path = Api.room_get_event(self.client.access_token, room, event_id)
        response = await self.client.send(method, path)
        content: dict[str, object] = (await response.json())["content"]
        return content

    def seal(self, room: str, body: str) -> dict[str, object]:
        """The content of an event that is not sent."""
        _, content = self.client.encrypt(room, "m.room.message", {"msgtype": "m.text", "body": body})
        return dict(content)

    def key_of(self, room: str) -> tuple[str, str]:
        """The session that a room is written in, and its key as others are given it."""
        session = self.client.olm.outbound_group_sessions[room]
        return session.id, session.session_key

    async def give_key(self, user: str, room: str, key: tuple[str, str]) -> None:
        """Say that a key is one's own."""
        store = self.client.device_store
        await self.until(lambda: any(not device.deleted for device in store.active_user_devices(user)))
        (device,) = store.active_user_devices(user)
        await self.client.keys_claim({user: [device.device_id]})
        olm = self.client.olm
        content = {
            "algorithm": "m.megolm.v1.aes-sha2",
            "room_id": room,
            "session_id": key[0],
            "session_key": key[1],
        }
        sealed = olm._olm_encrypt(olm.session_store.get(device.curve25519), device, "m.room_key", content)
        await self.client.to_device(ToDeviceMessage("m.room.encrypted", user, device.device_id, sealed))

    async def send_plain(self, room: str, kind: str, content: dict[str, object]) -> None:
        """Send an event as it is, encrypted or not."""
        method, path, data = Api.room_send(self.client.access_token, room, kind, content, uuid.uuid4().hex)
        response = await self.client.send(method, path, data)
        assert response.status == 200, await response.text()

    async def heard(self, part: str, *, room: str | None = None, msgtype: str = "") -> Any:
        """What somebody else said, as soon as it is there; always encrypted."""

        def find() -> Any:
            return next(
                (
                    message
                    for message in self.messages
                    if part in str(message.source["content"].get("body", ""))
                    and message.sender != self.client.user_id
                    and room in (None, message.source["room_id"])
                    and msgtype in ("", message.source["content"].get("msgtype"))
                ),
                None,
            )

        await self.until(lambda: find() is not None)
        message = find()
        assert message.decrypted, message
        return message

    def mark(self) -> int:
        """What there was until now."""
        return len(self.events)

    async def saw(self, kind: str, *, room: str, content_part: str, is_secret: bool = True) -> Any:
        """What somebody else did, as soon as it is there; encrypted, or not."""

        def fits(event: Event | BadEvent) -> bool:
            return event.source["type"] == kind and content_part in str(event.source)

        event = await self._saw(fits, room=room)
        assert event.decrypted == is_secret, event
        return event

    async def saw_file(self, *, room: str, after: int) -> Any:
        """The next file of somebody else's, which is encrypted as its event is."""
        event = await self._saw(lambda event: "file" in event.source["content"], room=room, after=after)
        assert event.decrypted, event
        return event

    async def _saw(self, fits: Callable[[Event | BadEvent], bool], *, room: str, after: int = 0) -> Any:
        def find() -> Event | BadEvent | None:
            others = (event for event in self.events[after:] if event.sender != self.client.user_id)
            return next((event for event in others if event.source["room_id"] == room and fits(event)), None)

        await self.until(lambda: find() is not None)
        return find()

    async def until(self, condition: Any) -> None:
        """Wait until something is so."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS), self._news:
                while not condition():
                    try:
                        await asyncio.wait_for(self._news.wait(), 0.2)
                    except TimeoutError:
                        continue
        except TimeoutError:
            seen = [(message.sender, message.source["content"]) for message in self.messages]
            unread = [(event.sender, event.session_id) for event in self.unreadable]
            raise AssertionError(f"saw {seen}; could not read {unread}") from None

    async def fetch_file(self, message: Any) -> bytes:
        """The plain bytes of an encrypted file."""
        answer = await self.client.download(message.source["content"]["file"]["url"])
        sealed = message.source["content"]["file"]
        return decrypt_attachment(answer.body, sealed["key"]["k"], sealed["hashes"]["sha256"], sealed["iv"])

    async def show(self, room: str, sample: Sample, msgtype: str, more: dict[str, object]) -> None:
        """Send a file, encrypted as its event is."""
        sealed, keys = encrypt_attachment(sample.data)
        answer, _ = await self.client.upload(io.BytesIO(sealed), "application/octet-stream", filesize=len(sealed))
        file = {**keys, "url": answer.content_uri, "mimetype": sample.mime_type}
        content = {"body": sample.name, "file": file, "info": {"mimetype": sample.mime_type}, **more}
        if msgtype == "m.sticker":
            await self.send(room, msgtype, content)
        else:
            await self.send(room, "m.room.message", {**content, "msgtype": msgtype})

    def rotate(self, room: str) -> None:
        """Use another key from the next message on."""
        self.client.olm.outbound_group_sessions.pop(room, None)

    async def _on_message(self, room: Any, event: RoomMessage) -> None:
        event.source["room_id"] = room.room_id
        async with self._news:
            self.messages.append(event)
            self._news.notify_all()

    async def _on_event(self, room: Any, event: Event | BadEvent) -> None:
        event.source["room_id"] = room.room_id
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    async def _on_unreadable(self, _room: Any, event: MegolmEvent) -> None:
        self.unreadable.append(event)

    async def _on_invite(self, room: Any, event: InviteMemberEvent) -> None:
        if event.state_key == self.client.user_id and event.membership == "invite":
            await self.client.join(room.room_id)


async def link(alice: EncryptedClient, phone: Account, dm: str) -> None:
    """Link an account by a QR code that is shown in secret."""
    await alice.say(dm, "login")
    picture = await alice.heard("", room=dm, msgtype="m.image")
    with Image.open(io.BytesIO(await alice.fetch_file(picture))) as image:
        (found,) = zxingcpp.read_barcodes(image.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
    await phone.phone.scan(found.text)
    await alice.heard(f"Successfully logged in as +{phone.pn.user}", room=dm)
