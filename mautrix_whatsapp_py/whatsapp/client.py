"""One login, as the bridge sees it: events in, requests out, a state in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaKind, WaSendable
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_link import (
    WaLinkFact,
    WaLinkKind,
    WaSendOutcome,
    WaSendUncertain,
    WaSendUnknown,
    WaSent,
    WaSessionStats,
    WaState,
)
from mautrix_whatsapp_py.ports import WaEventSink
from mautrix_whatsapp_py.whatsapp import states, wire
from mautrix_whatsapp_py.whatsapp.way import Way

log = logging.getLogger(__name__)

_ACK_DELAY_SECONDS = 0.1
"""One frame for what is handled meanwhile; what a crash leaves unsaid only comes again."""
_CALL_SECONDS = 30.0
_SEND_SECONDS = 90.0
_UPLOAD_SECONDS = 600.0


class Client:
    """Implements WhatsAppClient on top of whatever host holds the session now."""

    def __init__(
        self,
        login: LoginId,
        sink: WaEventSink,
        get_connection: Callable[[], Way | None],
    ) -> None:
        self._login = login
        self._sink = sink
        self._get_connection = get_connection
        self._view = states.initial(datetime.now(UTC))
        self._delivered = JournalSeq(0)
        self._pending: set[JournalSeq] = set()
        self._acks: list[JournalSeq] = []
        self._ack_timer: asyncio.TimerHandle | None = None

    @property
    def login(self) -> LoginId:
        """See WhatsAppClient."""
        return self._login

    @property
    def state(self) -> WaState:
        """See WhatsAppClient."""
        return self._view.state

    # From the host

    def on_event(self, frame: wire.Event) -> None:
        """Pass an event on once, however often the host repeats it."""
        if frame.seq > self._delivered:
            self._delivered = frame.seq
            self._pending.add(frame.seq)
            self._sink.on_wa_event(self._login, frame.seq, frame.event)
        elif frame.seq not in self._pending:
            self._queue_ack(frame.seq)

    def on_fact(self, fact: WaLinkFact) -> None:
        """Compute the state and tell of a change."""
        before = self._view.state
        self._view = states.step(self._view, fact)
        if self._view.state != before:
            self._sink.on_wa_state(self._login, self._view.state)

    def on_host_lost(self) -> None:
        """The host is gone; another will take over."""
        self.on_fact(WaLinkFact(kind=WaLinkKind.HOST_LOST, at=datetime.now(UTC)))

    def on_disconnected(self) -> None:
        """The user wants no link."""
        self.on_fact(WaLinkFact(kind=WaLinkKind.STOPPED, at=datetime.now(UTC)))

    # Acknowledgements

    def ack(self, seq: JournalSeq) -> None:
        """See WhatsAppClient."""
        self._pending.discard(seq)
        self._queue_ack(seq)

    def _queue_ack(self, seq: JournalSeq) -> None:
        self._acks.append(seq)
        if self._ack_timer is None:
            self._ack_timer = asyncio.get_running_loop().call_later(_ACK_DELAY_SECONDS, self._flush_acks)

    def _flush_acks(self) -> None:
        self._ack_timer = None
        acks, self._acks = tuple(self._acks), []
        # Without a host they are lost on purpose: it repeats those events, and we acknowledge again.
        self._put(wire.Ack(login=self._login, seqs=acks))

    def flush(self) -> None:
        """Send what is acknowledged at once."""
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._flush_acks()

    def _put(self, frame: WaStruct) -> None:
        connection = self._get_connection()
        if connection is not None:
            connection.put(frame)

    # Requests

    async def request(self, call: wire.Call, *, deadline_seconds: float = _CALL_SECONDS) -> wire.Result:
        """Have the session's host do something."""
        connection = self._get_connection()
        if connection is None:
            raise WhatsAppUnavailable(code="host-lost")
        return await connection.request(call, deadline_seconds=deadline_seconds)

    async def send_message(
        self, chat: WaJid, content: WaSendable, *, send_id: SendId, secret: bytes = b""
    ) -> WaSent | WaSendUncertain:
        """See WhatsAppClient."""
        call = wire.SendMessage(login=self._login, send_id=send_id, chat=chat, content=content, secret=secret)
        result = await self.request(call, deadline_seconds=_SEND_SECONDS)
        assert isinstance(result, WaSent | WaSendUncertain)
        return result

    async def upload_file(self, path: Path, kind: WaKind) -> WaFile:
        """See WhatsAppClient."""
        call = wire.UploadFile(login=self._login, path=str(path), kind=kind)
        result = await self.request(call, deadline_seconds=_UPLOAD_SECONDS)
        assert isinstance(result, WaFile)
        return result

    async def fetch_send_outcome(self, send_id: SendId, secret: bytes = b"") -> WaSendOutcome:
        """See WhatsAppClient."""
        result = await self.request(wire.FetchSend(login=self._login, send_id=send_id, secret=secret))
        assert isinstance(result, WaSent | WaSendUncertain | WaSendUnknown)
        return result

    async def forget_sends(self, send_ids: Sequence[SendId]) -> None:
        """See WhatsAppClient."""
        await self.request(wire.ForgetSends(login=self._login, send_ids=tuple(send_ids)))

    async def mark_read(
        self,
        chat: WaJid,
        sender: WaJid,
        message_ids: Sequence[WaMessageId],
        *,
        at: datetime,
        is_played: bool = False,
    ) -> None:
        """See WhatsAppClient."""
        await self.request(
            wire.MarkRead(
                login=self._login,
                chat=chat,
                sender=sender,
                message_ids=tuple(message_ids),
                at_seconds=int(at.timestamp()),
                is_played=is_played,
            )
        )

    async def send_typing(self, chat: WaJid, *, is_typing: bool, is_audio: bool = False) -> None:
        """See WhatsAppClient."""
        await self.request(wire.SendTyping(login=self._login, chat=chat, is_typing=is_typing, is_audio=is_audio))

    async def send_presence(self, *, is_available: bool) -> None:
        """See WhatsAppClient."""
        await self.request(wire.SendPresence(login=self._login, is_available=is_available))

    async def subscribe_presence(self, person: WaJid) -> None:
        """See WhatsAppClient."""
        await self.request(wire.SubscribePresence(login=self._login, person=person))

    async def fetch_stats(self) -> WaSessionStats:
        """See WhatsAppClient."""
        result = await self.request(wire.FetchStats(login=self._login))
        assert isinstance(result, WaSessionStats)
        return result
