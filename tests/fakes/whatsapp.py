"""WhatsApp in memory: the ports WhatsAppNetwork, WhatsAppClient and WaPairing, driven by the test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaKind, WaSendable
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa_link import (
    WaDevice,
    WaHostStats,
    WaPaired,
    WaPairingFailed,
    WaPairingFailure,
    WaPairingStep,
    WaPhoneCode,
    WaSendOutcome,
    WaSendUncertain,
    WaSendUnknown,
    WaSent,
    WaSessionStats,
    WaState,
    WaStateKind,
)
from mautrix_whatsapp_py.ports import WaEventSink, WaPairing, WhatsAppClient, WhatsAppNetwork

START = datetime(2026, 1, 1, tzinfo=UTC)
_DEADLINE_SECONDS = 30


def device_of(number: str, *, name: str = "Ana") -> WaDevice:
    """An account as pairing tells of it."""
    jid = WaJid(user=number, server="s.whatsapp.net", device=3)
    return WaDevice(login=LoginId(number), jid=jid, push_name=name, platform="android")


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSend:
    """A message that left."""

    chat: WaJid
    content: WaSendable
    send_id: SendId
    secret: bytes
    message_id: WaMessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMark:
    """Messages that were marked as read."""

    chat: WaJid
    sender: WaJid
    message_ids: tuple[WaMessageId, ...]


class FakeClient:
    """The port WhatsAppClient; it sends into the void and remembers what it sent."""

    def __init__(self, login: LoginId, state: WaState) -> None:
        self.login = login
        self.state = state
        self.stats = WaSessionStats(login=login)
        self.stats_error: WhatsAppError | None = None
        self.acknowledged: list[JournalSeq] = []
        self.sent: dict[SendId, WaSent | WaSendUncertain] = {}
        self.messages: list[FakeSend] = []
        self.uploads: list[tuple[bytes, WaKind]] = []
        self.upload_faults: deque[WhatsAppError] = deque()
        """What the next uploads end in."""
        self.upload_hold: asyncio.Event | None = None
        """Uploads end when it is set."""
        self.marked: list[FakeMark] = []
        self.typing: list[tuple[WaJid, bool]] = []
        self.presences: list[bool] = []
        self.watched: list[WaJid] = []
        self.faults: deque[BaseException] = deque()
        """What the next sends end in, before anything left."""
        self.mark_faults: deque[BaseException] = deque()
        """What the next marks end in."""
        self.late_faults: deque[BaseException] = deque()
        """What the next sends end in, after the message has left."""
        self.is_uncertain = False
        self.sent_at = START

    def ack(self, seq: JournalSeq) -> None:
        self.acknowledged.append(seq)

    async def send_message(
        self, chat: WaJid, content: WaSendable, *, send_id: SendId, secret: bytes = b""
    ) -> WaSent | WaSendUncertain:
        self._require_usable()
        if self.faults:
            raise self.faults.popleft()
        if send_id not in self.sent:
            message_id = WaMessageId(f"FAKE{len(self.messages)}")
            self.messages.append(
                FakeSend(chat=chat, content=content, send_id=send_id, secret=secret, message_id=message_id)
            )
            self.sent[send_id] = (
                WaSendUncertain(send_id=send_id, message_id=message_id)
                if self.is_uncertain
                else WaSent(send_id=send_id, message_id=message_id, timestamp=self.sent_at)
            )
        if self.late_faults:
            raise self.late_faults.popleft()
        return self.sent[send_id]

    async def upload_file(self, path: Path, kind: WaKind) -> WaFile:
        if self.upload_hold is not None:
            await self.upload_hold.wait()
        if self.upload_faults:
            raise self.upload_faults.popleft()
        self.uploads.append((path.read_bytes(), kind))
        return WaFile(direct_path="/v/file", media_key=b"k" * 32, sha256=b"p" * 32, enc_sha256=b"e" * 32)

    async def fetch_send_outcome(self, send_id: SendId, secret: bytes = b"") -> WaSendOutcome:
        return self.sent.get(send_id) or WaSendUnknown(send_id=send_id)

    async def forget_sends(self, send_ids: Sequence[SendId]) -> None:
        for send_id in send_ids:
            self.sent.pop(send_id, None)

    async def mark_read(
        self,
        chat: WaJid,
        sender: WaJid,
        message_ids: Sequence[WaMessageId],
        *,
        at: datetime,
        is_played: bool = False,
    ) -> None:
        self._require_usable()
        if self.mark_faults:
            raise self.mark_faults.popleft()
        self.marked.append(FakeMark(chat=chat, sender=sender, message_ids=tuple(message_ids)))

    async def send_typing(self, chat: WaJid, *, is_typing: bool, is_audio: bool = False) -> None:
        self._require_usable()
        self.typing.append((chat, is_typing))

    async def send_presence(self, *, is_available: bool) -> None:
        self._require_usable()
        self.presences.append(is_available)

    async def subscribe_presence(self, person: WaJid) -> None:
        self._require_usable()
        self.watched.append(person)

    async def fetch_stats(self) -> WaSessionStats:
        if self.stats_error is not None:
            raise self.stats_error
        return self.stats

    def _require_usable(self) -> None:
        if not self.state.is_usable:
            raise WhatsAppUnavailable


class FakePairing:
    """The port WaPairing: its steps are what the test gives."""

    def __init__(self, phone: str) -> None:
        self.phone = phone
        self.is_over = False
        self.is_cancelled = False
        self.codes: deque[WaPhoneCode | WhatsAppError] = deque()
        """Answers to requests for another code."""
        self._steps: asyncio.Queue[WaPairingStep] = asyncio.Queue()

    def give(self, *steps: WaPairingStep) -> None:
        """What comes next; nothing comes after the end."""
        for step in steps:
            if not self.is_over:
                self._steps.put_nowait(step)
                self.is_over = isinstance(step, WaPaired | WaPairingFailed)

    async def steps(self) -> AsyncIterator[WaPairingStep]:
        while True:
            step = await self._steps.get()
            yield step
            if isinstance(step, WaPaired | WaPairingFailed):
                return

    async def request_phone_code(self, phone: str) -> WaPhoneCode:
        if self.is_over or not self.codes:
            raise WhatsAppUnavailable(code="host-lost")
        answer = self.codes.popleft()
        if isinstance(answer, WhatsAppError):
            raise answer
        return answer

    async def cancel(self) -> None:
        self.is_cancelled = True
        self.give(WaPairingFailed(reason=WaPairingFailure.CANCELLED))


class FakeNetwork:
    """The port WhatsAppNetwork."""

    def __init__(self) -> None:
        self.sink: WaEventSink | None = None
        self.clients: dict[LoginId, FakeClient] = {}
        self.hosts: tuple[WaHostStats, ...] = ()
        self.pairings: list[FakePairing] = []
        self.errors: deque[WhatsAppError] = deque()
        """What the next requests end in."""
        self.is_phone_reachable = True
        self.logged_out: list[LoginId] = []
        self.deleted: list[LoginId] = []
        self._paired = asyncio.Event()

    def link(self, device: WaDevice, *, at: datetime = START) -> WaPaired:
        """A phone has linked an account: its session runs. What pairing says last."""
        has_replaced = device.login in self.clients
        self.clients[device.login] = FakeClient(device.login, WaState(kind=WaStateKind.STARTING, since=at))
        self.set_state(device.login, WaState(kind=WaStateKind.CONNECTED, since=at))
        return WaPaired(device=device, has_replaced=has_replaced)

    def set_state(self, login: LoginId, state: WaState) -> None:
        """A link changes its state and tells so."""
        client = self.clients[login]
        if client.state == state:
            return
        client.state = state
        if self.sink is not None:
            self.sink.on_wa_state(login, state)

    async def wait_for_pairing(self, count: int = 1) -> FakePairing:
        """The attempt of that number, as soon as it was begun."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while len(self.pairings) < count:
                self._paired.clear()
                await self._paired.wait()
        return self.pairings[count - 1]

    def get_logins(self) -> Sequence[LoginId]:
        return tuple(self.clients)

    def get_client(self, login: LoginId) -> FakeClient | None:
        return self.clients.get(login)

    def get_hosts(self) -> Sequence[WaHostStats]:
        return self.hosts

    async def start_pairing(self, phone: str = "") -> FakePairing:
        self._fail_if_told()
        pairing = FakePairing(phone)
        self.pairings.append(pairing)
        self._paired.set()
        return pairing

    async def connect(self, login: LoginId) -> None:
        self._fail_if_told()
        since = self.clients[login].state.since
        self.set_state(login, WaState(kind=WaStateKind.CONNECTED, since=since))

    async def disconnect(self, login: LoginId) -> None:
        self._fail_if_told()
        state = WaState(
            kind=WaStateKind.TRANSIENT_DISCONNECT,
            since=self.clients[login].state.since,
            error="wa-not-connected",
            message="This link is switched off.",
        )
        self.set_state(login, state)

    async def logout(self, login: LoginId) -> bool:
        self._fail_if_told()
        client = self.clients.get(login)
        has_told_phone = self.is_phone_reachable and client is not None and client.state.is_usable
        if client is not None and has_told_phone:
            # The server confirms the end before the session is gone.
            ended = replace_state(client.state, WaStateKind.BAD_CREDENTIALS, "wa-logged-out")
            self.set_state(login, ended)
        self.clients.pop(login, None)
        self.logged_out.append(login)
        return has_told_phone

    async def delete_session(self, login: LoginId) -> None:
        self._fail_if_told()
        self.clients.pop(login, None)
        self.deleted.append(login)

    def _fail_if_told(self) -> None:
        if self.errors:
            raise self.errors.popleft()


def replace_state(state: WaState, kind: WaStateKind, error: str = "", *, at: datetime | None = None) -> WaState:
    """Another state of the same link."""
    message = f"about {error}" if error else ""
    return WaState(kind=kind, since=at or state.since, error=error, message=message)


def _fit_the_ports(network: FakeNetwork, client: FakeClient, pairing: FakePairing) -> None:
    _a: WhatsAppNetwork = network
    _b: WhatsAppClient = client
    _c: WaPairing = pairing
