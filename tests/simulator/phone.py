"""A simulated primary phone: the scriptable person on the other side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.simulator import appstate, kinds, phone_link, phone_receive, phone_send
from tests.simulator.accounts import Account, Device
from tests.simulator.connection import Connection
from tests.simulator.crypto import sha256
from tests.simulator.history import HistoryChunk, send_history_chunk
from tests.simulator.iq import people
from tests.simulator.jids import SERVER, Jid
from tests.simulator.media_crypto import decrypt_media
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.outgoing import Outgoing, Received, Sent
from tests.simulator.pairing import unlink
from tests.simulator.protobufs import e2e, sync_action
from tests.simulator.routing.calls import route_call
from tests.simulator.routing.presence import route_chatstate, set_presence
from tests.simulator.routing.receipts import route_receipt
from tests.simulator.signal_protocol.device import SignalDevice
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World, now_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatState:
    """Somebody's typing notice as the phone saw it."""

    sender: Account
    state: str
    media: str | None


class Phone:
    """Links companions, sends and receives end-to-end encrypted messages, changes settings."""

    def __init__(self, world: World, account: Account) -> None:
        self.world, self.account = world, account
        self.signal = SignalDevice()
        self.inbox: asyncio.Queue[Received] = asyncio.Queue()
        self.receipts: asyncio.Queue[Node] = asyncio.Queue()
        self.calls: asyncio.Queue[Node] = asyncio.Queue()
        self.peer_receipts: list[Node] = []
        self.chat_states: list[ChatState] = []
        self.duplicates: list[str] = []
        self.sent: dict[str, Sent] = {}
        self.retries: dict[str, int] = {}
        self.corrupt_next = 0
        self.is_sending_receipts = True
        self.is_asking_for_retries = True
        self.was_reinstalled = False
        self.pending_link: Connection | None = None

    # linking

    async def scan(self, qr: str) -> Device:
        """Scan a companion's QR code; returns the linked device."""
        return await phone_link.scan(self, qr)

    async def enter_code(self, code: str) -> Device:
        """Type a companion's pairing code; raises WrongCodeError when it is not the one shown."""
        return await phone_link.enter_code(self, code)

    def unlink(self, device: Device) -> None:
        """Remove a companion in the phone's settings."""
        unlink(self.world, device)

    def reinstall(self) -> None:
        """Register anew on another phone: all companions go, all keys change, contacts are told."""
        for device in list(self.account.devices.values()):
            self.unlink(device)
        self.signal = SignalDevice()
        self.was_reinstalled = True
        for other in self.world.accounts:
            notice = self.world.notification(self.account.lid, "encrypt", node("identity"))
            self.world.deliver_to_account(other, notice)

    async def welcome(self, device: Device, *history: HistoryChunk) -> None:
        """What a phone does right after linking: push name, app state key, history."""
        if self.account.app_state.is_empty:
            await self.set_push_name()
        await self.share_app_state_key(device)
        for chunk in history:
            await self.send_history(device, chunk)

    # messages

    async def send(
        self, to: Jid, outgoing: Outgoing, *, message_id: str | None = None, at_seconds: int | None = None
    ) -> str:
        """Send to a person, group or status; returns the message id."""
        sent_id = phone_send.send(self, to, outgoing, message_id=message_id, at_seconds=at_seconds)
        # lets the server write before the next message of a burst
        await asyncio.sleep(0)
        return sent_id

    async def text(self, to: Jid, body: str, *, message_id: str | None = None) -> str:
        """Send plain text."""
        return await self.send(to, kinds.text(body), message_id=message_id)

    async def send_view_once_notice(self, to: Jid, message_id: str) -> None:
        """Send a view-once message, of which companions only get to know that it exists."""
        attrs: dict[str, AttrValue] = {"id": message_id, "type": "media", "t": now_seconds()}
        stanza = node("message", attrs, [node("unavailable", {"type": "view_once"})])
        recipient = self.world.accounts.require(to)
        self.world.deliver_to_account(recipient, stanza.with_attrs(**self.account.sender_attrs(0)))

    async def receive_next(self, timeout_seconds: float = 10) -> Received:
        """The next message this phone decrypts."""
        async with asyncio.timeout(timeout_seconds):
            return await self.inbox.get()

    async def receipt_next(self, kind: str | None = None, timeout_seconds: float = 10) -> Node:
        """The next receipt of this type; `None` is a delivery receipt, others are dropped."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                receipt = await self.receipts.get()
                if receipt.get("type") == kind:
                    return receipt

    async def mark(
        self, chat: Jid, message_ids: list[str], kind: str | None = "read", *, participant: Jid | None = None
    ) -> None:
        """Send a receipt of any type for messages in a chat."""
        more = [node("list", {}, [node("item", {"id": i}) for i in message_ids[1:]])] if message_ids[1:] else None
        attrs: dict[str, AttrValue] = {"id": message_ids[0], "to": chat, "type": kind, "t": now_seconds()}
        route_receipt(self.world, self.account, 0, node("receipt", {**attrs, "participant": participant}, more))

    async def typing(self, chat: Jid, state: str = "composing", *, media: str | None = None) -> None:
        """Show or hide that this person types or records."""
        route_chatstate(self.world, self.account, node("chatstate", {"to": chat}, [node(state, {"media": media})]))

    async def set_online(self, *, is_online: bool) -> None:
        """Come or go."""
        set_presence(self.world, self.account, is_online=is_online)

    async def ask_retry(self, received: Received, count: int = 1) -> None:
        """Pretend a message could not be decrypted and ask its sender to send it again."""
        phone_receive.ask_retry(self, received.stanza, count)

    async def call(self, to: Account, action: str, call_id: str, **attrs: AttrValue) -> None:
        """Signal a call: offer, accept, preaccept, transport, terminate, reject, offer_notice."""
        route_call(self.world, self.account, to, action, call_id, attrs)

    def download(self, media: Any, kind: str) -> bytes:
        """Fetch, check and decrypt the file of a received media message."""
        blob = self.world.media.blobs[media.directPath.split("?")[0]]
        plain = decrypt_media(blob, media.mediaKey, kind)
        if (sha256(blob), sha256(plain)) != (media.fileEncSHA256, media.fileSHA256):
            raise ProtocolViolationError(ViolationKind.BAD_UPLOAD, f"hashes of a {kind}")
        return plain

    # profile

    async def set_picture(self, data: bytes | None) -> str:
        """Set or remove the profile picture."""
        return people.set_profile_picture(self.world, self.account, data)

    async def set_about(self, text: str) -> None:
        """Set the about text."""
        people.set_about(self.world, self.account, text)

    # app state and history

    async def share_app_state_key(self, device: Device) -> None:
        """Give a companion the key to the app state."""
        keys = self.account.app_state.keys
        message = e2e.Message()
        message.protocolMessage.type = e2e.ProtocolMessage.APP_STATE_SYNC_KEY_SHARE
        shared = message.protocolMessage.appStateSyncKeyShare.keys.add()
        shared.keyID.keyID, shared.keyData.keyData = keys.key_id, keys.data
        shared.keyData.fingerprint.rawID = int.from_bytes(keys.key_id[:3], "big")
        shared.keyData.fingerprint.currentIndex = 0
        shared.keyData.fingerprint.deviceIndexes.append(0)
        shared.keyData.timestamp = now_seconds() * 1000
        await self.send_peer(device, message)

    async def send_peer(self, device: Device, message: Any) -> str:
        """Send a protocol message to one of the own companions."""
        return phone_send.send_peer(self, device, message)

    async def send_history(self, device: Device, chunk: HistoryChunk) -> None:
        """Send one chunk of history to a companion."""
        await send_history_chunk(self, device, chunk)

    async def set_app_state(self, name: str, index: list[str], value: Any, *, version: int) -> None:
        """Set any record and tell the companions."""
        self._tell(self.account.app_state.set(name, index, value, version=version))

    async def remove_app_state(self, name: str, index: list[str], *, version: int) -> None:
        """Remove any record and tell the companions."""
        self._tell(self.account.app_state.remove(name, index, version=version))

    async def set_push_name(self, name: str | None = None) -> None:
        """Set the own push name."""
        self.account.name = name or self.account.name
        value = sync_action.SyncActionValue(pushNameSetting=sync_action.PushNameSetting(name=self.account.name))
        await self.set_app_state("critical_block", ["setting_pushName"], value, version=1)

    async def set_contact(self, jid: Jid, full_name: str, first_name: str = "") -> None:
        """Write somebody into the contact book."""
        account = self.world.accounts.get(jid)
        action = sync_action.ContactAction(
            fullName=full_name,
            firstName=first_name,
            lidJID=str(account.lid) if account else None,
            saveOnPrimaryAddressbook=True,
        )
        value = sync_action.SyncActionValue(contactAction=action)
        await self.set_app_state("critical_unblock_low", ["contact", str(jid)], value, version=2)

    async def set_mute(self, chat: Jid, *, is_muted: bool = True, until_ms: int = -1) -> None:
        """Mute or unmute a chat."""
        action = sync_action.MuteAction(muted=is_muted, muteEndTimestamp=until_ms if is_muted else 0)
        value = sync_action.SyncActionValue(muteAction=action)
        await self.set_app_state("regular_high", ["mute", str(chat)], value, version=2)

    async def set_pin(self, chat: Jid, *, is_pinned: bool = True) -> None:
        """Pin or unpin a chat."""
        value = sync_action.SyncActionValue(pinAction=sync_action.PinAction(pinned=is_pinned))
        await self.set_app_state("regular_low", ["pin_v1", str(chat)], value, version=5)

    async def set_archived(self, chat: Jid, *, is_archived: bool = True) -> None:
        """Archive or unarchive a chat."""
        value = sync_action.SyncActionValue(archiveChatAction=sync_action.ArchiveChatAction(archived=is_archived))
        await self.set_app_state("regular_low", ["archive", str(chat)], value, version=3)

    async def mark_chat_read(self, chat: Jid, *, is_read: bool = True) -> None:
        """Mark a whole chat read or unread."""
        value = sync_action.SyncActionValue(markChatAsReadAction=sync_action.MarkChatAsReadAction(read=is_read))
        await self.set_app_state("regular_low", ["markChatAsRead", str(chat)], value, version=3)

    # what the network hands to the phone

    def receive(self, stanza: Node) -> None:
        """A stanza addressed to device 0."""
        phone_receive.receive(self, stanza)

    def on_peer_receipt(self, stanza: Node) -> None:
        """A companion has taken a protocol message."""
        self.peer_receipts.append(stanza)

    def on_chatstate(self, sender: Account, stanza: Node) -> None:
        """Somebody types."""
        state = stanza.children[0]
        self.chat_states.append(ChatState(sender=sender, state=state.tag, media=state.get_text("media")))

    def on_call(self, _caller: Account, stanza: Node) -> None:
        """Somebody signals a call."""
        self.calls.put_nowait(stanza)

    def _tell(self, collection: appstate.Collection) -> None:
        notice = self.world.notification(SERVER, "server_sync", appstate.collection_notice(collection))
        self.world.deliver_to_account(self.account, notice)
