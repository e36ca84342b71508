"""Requests of the bridge, carried out on a live session."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mautrix_whatsapp_py.ids import SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.wa_link import WaSendOutcome, WaSendUncertain, WaSendUnknown, WaSent
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.host.directory import Directory, directory_exports
from mautrix_whatsapp_py.whatsapp.host.encode_content import Sending, encode_content
from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed
from mautrix_whatsapp_py.whatsapp.host.gate import SessionNotLive
from mautrix_whatsapp_py.whatsapp.host.groups import GroupCalls, group_exports
from mautrix_whatsapp_py.whatsapp.host.library import Library
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, get_jid
from mautrix_whatsapp_py.whatsapp.host.secrets import get_message_id, get_secrets
from mautrix_whatsapp_py.whatsapp.host.session import Session
from mautrix_whatsapp_py.whatsapp.host.upload import MEDIA_TYPES, decode_upload
from mautrix_whatsapp_py.whatsapp.wire_directory import DirectoryCall
from mautrix_whatsapp_py.whatsapp.wire_groups import GroupCall
from mautrix_whatsapp_py.whatsapp.wire_history import HistoryCall

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_NEVER_LEFT = (
    "websocket not connected",
    "not logged in",
    "the store doesn't contain a device jid",
    "failed to get device list",
    "failed to get group",
    "failed to send usync query",
    "no lid found",
    "failed to encrypt",
    "failed to marshal",
    "unknown server",
    "can't send",
    "cannot send",
)
"""Beginnings of errors the library gives before anything went to the server."""
_REFUSED = ("server returned error",)
_NOT_A_MEMBER = "not participating"
"""Of a group whose members are asked for before anything is sent."""
_PASSING = (
    "websocket not connected",
    "failed to get device list",
    "failed to send usync query",
    "timed out",
    "websocket disconnected",
    # Its tables are in a database that is away for a moment.
    "bad connection",
    "terminating connection",
    "connection refused",
    "connection reset",
    "broken pipe",
    "unexpected eof",
    "database is closed",
    "shutting down",
    "starting up",
    "too many clients",
    "remaining connection slots",
    "use of closed network connection",
    # The session is being ended: whoever has it next is asked again.
    "context canceled",
)


def classify(error: str) -> CallFailed:
    """What an error text of the library means for the one who asked."""
    text = error.lower()
    if any(part in text for part in _REFUSED):
        return CallFailed("refused", is_final=True)
    if _NOT_A_MEMBER in text:
        return CallFailed("not-a-member", is_final=True)
    is_certain = any(part in text for part in _NEVER_LEFT)
    is_passing = any(part in text for part in _PASSING)
    return CallFailed(
        "not-connected" if is_passing else "failed", is_certain=is_certain, is_final=is_certain and not is_passing
    )


class Calls:
    """One session's requests. Sends go one at a time, as the library would do it anyway."""

    def __init__(self, session: Session, library: Library, protobuf: Protobuf) -> None:
        self._session = session
        self._library = library
        self._protobuf = protobuf
        self._directory = Directory(session, library, protobuf)
        self._groups = GroupCalls(session, library, protobuf)
        self._sending = asyncio.Lock()

    async def run(self, call: wire.Call) -> wire.Result:
        """Carry a request out; CallFailed says why not."""
        match call:
            case wire.SendMessage():
                return await self.send(call)
            case wire.UploadFile() | wire.FetchSend():
                return await self._about_sends(call)
            case wire.ForgetSends():
                await self._session.in_journal_thread(lambda: self._session.journal.delete_sends(call.send_ids))
            case wire.MarkRead():
                await self._mark_read(call)
            case wire.SendTyping():
                jid = self._protobuf.encode_jid(call.chat)
                await self._call("SendChatPresence", jid, len(jid), 0 if call.is_typing else 1, int(call.is_audio))
            case wire.SendPresence():
                await self._call("SendPresence", b"available" if call.is_available else b"unavailable")
            case wire.SubscribePresence():
                jid = self._protobuf.encode_jid(call.person)
                await self._call("SubscribePresence", jid, len(jid))
            case wire.Logout():
                await self._call("Logout")
            case wire.FetchStats():
                return self._session.stats()
            case (
                wire.StartSession()
                | wire.StopSession()
                | wire.RestartSession()
                | wire.StartPairing()
                | wire.RequestPhoneCode()
            ):
                raise CallFailed("unknown-call", is_final=True)
            case _:
                return await self._about_chats(call)
        return wire.Done()

    async def _about_chats(self, call: GroupCall | DirectoryCall | HistoryCall) -> wire.Result:
        if isinstance(call, HistoryCall):
            return await self._session.history.run(call, self._session.account) or wire.Done()
        if isinstance(call, GroupCall):
            return await self._groups.run(call) or wire.Done()
        return await self._directory.run(call) or wire.Done()

    async def _about_sends(self, call: wire.UploadFile | wire.FetchSend) -> wire.Result:
        if isinstance(call, wire.UploadFile):
            return await self._upload(call)
        async with self._sending:
            return await self._fetch_outcome(call.send_id, call.secret)

    async def _upload(self, call: wire.UploadFile) -> wire.Result:
        def upload() -> bytes:
            data = Path(call.path).read_bytes()
            return self._library.call("Upload", self._session.uuid, data, len(data), MEDIA_TYPES[call.kind])

        try:
            body = await self._through_gate(upload, is_transfer=True)
        except OSError as error:
            raise CallFailed("file-gone") from error
        return decode_upload(body, self._protobuf)

    async def _mark_read(self, call: wire.MarkRead) -> None:
        chat, sender = self._protobuf.encode_jid(call.chat), self._protobuf.encode_jid(call.sender)
        kind = b"played" if call.is_played else b"read"
        ids = " ".join(call.message_ids).encode()
        at = ctypes.c_int(call.at_seconds).value
        await self._call_raw("MarkRead", ids, at, chat, len(chat), sender, len(sender), kind)

    async def _call(self, name: str, *arguments: Any) -> None:
        await self._call_raw(name, *arguments)

    async def _call_raw(self, name: str, *arguments: Any) -> None:
        error = await self._through_gate(lambda: self._library.call(name, self._session.uuid, *arguments))
        if error:
            raise classify(error.decode(errors="replace"))

    async def _through_gate(self, function: Callable[[], Answer], *, is_transfer: bool = False) -> Answer:
        try:
            return await self._session.gate.call(function, is_transfer=is_transfer)
        except SessionNotLive as error:
            raise CallFailed("not-connected") from error

    # Sending

    async def send(self, call: wire.SendMessage) -> WaSendOutcome:
        """Send once: a send id that was tried before is answered, not repeated.

        Shielded with its turn: a send goes on when its caller's deadline passes or the caller is gone, its outcome
        must be noted, and nothing that is sent later may overtake it.
        """
        return await asyncio.shield(asyncio.ensure_future(self._send_in_turn(call)))

    async def _send_in_turn(self, call: wire.SendMessage) -> WaSendOutcome:
        async with self._sending:
            if self._session.gate.is_open:
                outcome = await self._through_gate(lambda: self._send_now(call))
            else:
                outcome = await self._answer_from_journal(call)
        settling = self._session.settling
        settling.settled(call.send_id)
        if isinstance(outcome, WaSendUncertain) and (at := await settling.fetch_arrival(outcome.message_id)):
            return WaSent(send_id=call.send_id, message_id=outcome.message_id, timestamp=at)
        return outcome

    async def _answer_from_journal(self, call: wire.SendMessage) -> WaSendOutcome:
        """What is known of a send while nothing can be sent."""
        known = await self._session.in_journal_thread(lambda: self._find_begun(call))
        if isinstance(known, WaSent):
            return known
        # Of what may have left nobody tells before the link is up.
        raise CallFailed("not-connected", is_certain=known is None)

    def _find_begun(self, call: wire.SendMessage) -> WaSendOutcome | None:
        """What became of a send that was tried before; None when it never began to leave."""
        if self._session.journal.get_send(call.send_id) is None:
            return None
        outcome = self._find(call.send_id, call.secret)
        return None if isinstance(outcome, WaSendUnknown) else outcome

    def _send_now(self, call: wire.SendMessage) -> WaSendOutcome:
        """Note, send, note what came of it: all in one turn of a thread, for turns cost more than the notes."""
        begun = self._find_begun(call)
        is_open = isinstance(begun, WaSendUncertain)
        if begun is not None and not (is_open and self._session.settling.may_repeat(call.send_id, call.content)):
            return begun
        content = self._encode(call)
        self._session.journal.add_send(call.send_id, call.secret)
        body = self._hand_over(self._protobuf.encode_jid(call.chat), content)
        answer = self._protobuf.messages.SendMessageReturnFunction.FromString(body)
        if answer.Error:
            raise self._note_failure(call.send_id, answer.Error)
        outcome = self._decode_sent(call.send_id, answer.SendResponse)
        self._session.journal.set_sent(call.send_id, outcome.message_id, msgspec.msgpack.encode(outcome))
        self._session.counters.last_send_at = outcome.timestamp
        return outcome

    def _encode(self, call: wire.SendMessage) -> bytes:
        at_ms = time.time_ns() // 1_000_000
        sending = Sending(
            chat=call.chat,
            own=self._session.own,
            secret=call.secret,
            at_ms=at_ms,
            get_secrets=partial(get_secrets, self._session.database),
        )
        try:
            return encode_content(call.content, sending, self._protobuf)
        except ValueError as error:
            raise CallFailed("not-a-message", is_final=True) from error

    def _hand_over(self, chat: bytes, content: bytes) -> bytes:
        with self._session.intake.quiet.wanted():
            return self._library.call("SendMessage", self._session.uuid, chat, len(chat), content, len(content))

    def _note_failure(self, send_id: str, error: str) -> CallFailed:
        failure = classify(error)
        log.warning("send failed: %s", failure.code, extra={"login": self._session.login})
        if failure.is_certain or failure.is_final:
            self._session.journal.delete_sends([send_id])
        return failure

    def _decode_sent(self, send_id: str, response: Any) -> WaSent:
        return WaSent(
            send_id=SendId(send_id),
            message_id=WaMessageId(response.ID),
            timestamp=datetime.fromtimestamp(max(response.Timestamp, 0), tz=UTC),
            sender=_jid_of(response, "Sender"),
            chat=_jid_of(response, "Chat"),
            server_id=response.ServerID,
        )

    async def _fetch_outcome(self, send_id: str, secret: bytes) -> WaSendOutcome:
        found = await self._session.in_journal_thread(lambda: self._find(send_id, secret))
        assert isinstance(found, WaSent | WaSendUncertain | WaSendUnknown)
        return found

    def _find(self, send_id: str, secret: bytes) -> WaSendOutcome:
        row = self._session.journal.get_send(send_id)
        if row is not None and row.outcome is not None:
            return msgspec.msgpack.decode(row.outcome, type=WaSent)
        known = (row.secret if row else b"") or secret
        message_id = get_message_id(self._session.database, known)
        identity = SendId(send_id)
        if message_id is None:
            return WaSendUnknown(send_id=identity)
        arrived_at = self._session.settling.get_arrival(message_id)
        if arrived_at is None:
            return WaSendUncertain(send_id=identity, message_id=message_id)
        return WaSent(send_id=identity, message_id=message_id, timestamp=arrived_at)


def _jid_of(message: Any, name: str) -> WaJid | None:
    return get_jid(getattr(message, name)) if message.HasField(name) else None


def needed_exports() -> Sequence[str]:
    """Exports of the library these requests rely on."""
    return (
        "SendMessage",
        "SendChatPresence",
        "SendPresence",
        "SubscribePresence",
        "Logout",
        "MarkRead",
        "SetPassive",
        *directory_exports(),
        *group_exports(),
    )
