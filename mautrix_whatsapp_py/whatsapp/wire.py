"""The language between the bridge and its session hosts: typed frames over a Unix socket."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

import msgspec

from mautrix_whatsapp_py.ids import JournalSeq, LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaKind, WaSendable
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa import WaEvent
from mautrix_whatsapp_py.model.wa_link import (
    WaDevice,
    WaHostStats,
    WaLinkFact,
    WaPhoneCode,
    WaQrCode,
    WaSendUncertain,
    WaSendUnknown,
    WaSent,
    WaSessionStats,
)
from mautrix_whatsapp_py.whatsapp.wire_directory import DirectoryCall, DirectoryResult
from mautrix_whatsapp_py.whatsapp.wire_groups import GroupCall, GroupResult
from mautrix_whatsapp_py.whatsapp.wire_history import HistoryCall, HistoryResult

VERSION = 4
"""Raised whenever a frame changes its meaning or may hold what an older host cannot read, such as a new kind of
message; a bridge replaces hosts that speak another version."""
MAX_FRAME_BYTES = 1 << 20
HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 30.0
_PREFIX_BYTES = 4


class Hello(WaStruct, frozen=True, kw_only=True):
    """First frame both ways."""

    version: int
    name: str
    pid: int = 0
    logins: tuple[LoginId, ...] = ()


class Heartbeat(WaStruct, frozen=True, kw_only=True):
    """I am alive; hosts add their figures."""

    stats: WaHostStats | None = None


class LinkOptions(WaStruct, frozen=True, kw_only=True):
    """How a session presents itself and reaches WhatsApp."""

    proxy: str = ""
    os_name: str = "Mautrix-WhatsApp bridge"
    platform: str = "CHROME"
    wants_history: bool = True
    wants_full_history: bool = False
    history_days: int = 0
    history_megabytes: int = 0
    history_quota_megabytes: int = 0


class StartSession(WaStruct, frozen=True, kw_only=True):
    """Open a session folder and keep its link up."""

    login: LoginId
    folder: str
    options: LinkOptions
    epoch: int = 0
    """In which the session is ours, where several processes share sessions."""


class StopSession(WaStruct, frozen=True, kw_only=True):
    """Take a link down without losing an event; answered when the folder is free."""

    login: LoginId


class RestartSession(WaStruct, frozen=True, kw_only=True):
    """Take a link down and up again."""

    login: LoginId


class StartPairing(WaStruct, frozen=True, kw_only=True):
    """Make a new session in a folder: by QR code, or by a code for this phone number."""

    folder: str
    options: LinkOptions
    phone: str = ""


class RequestPhoneCode(WaStruct, frozen=True, kw_only=True):
    """Another code for a phone number while a pairing runs."""

    phone: str


class Logout(WaStruct, frozen=True, kw_only=True):
    """Unlink from the phone."""

    login: LoginId


class SendMessage(WaStruct, frozen=True, kw_only=True):
    """Send a message once, whatever happens to host or bridge meanwhile."""

    login: LoginId
    send_id: SendId
    chat: WaJid
    content: WaSendable
    secret: bytes = b""


class UploadFile(WaStruct, frozen=True, kw_only=True):
    """Put a file of this machine on WhatsApp's servers."""

    login: LoginId
    path: str
    kind: WaKind


class FetchSend(WaStruct, frozen=True, kw_only=True):
    """What became of a send?"""

    login: LoginId
    send_id: SendId
    secret: bytes = b""


class ForgetSends(WaStruct, frozen=True, kw_only=True):
    """The bridge has recorded these."""

    login: LoginId
    send_ids: tuple[SendId, ...]


class MarkRead(WaStruct, frozen=True, kw_only=True):
    """Tell the sender that messages were read or played."""

    login: LoginId
    chat: WaJid
    sender: WaJid
    message_ids: tuple[WaMessageId, ...]
    at_seconds: int
    is_played: bool = False


class SendTyping(WaStruct, frozen=True, kw_only=True):
    """Show that we type, record, or stopped."""

    login: LoginId
    chat: WaJid
    is_typing: bool
    is_audio: bool = False


class SendPresence(WaStruct, frozen=True, kw_only=True):
    """Show us online or not."""

    login: LoginId
    is_available: bool


class SubscribePresence(WaStruct, frozen=True, kw_only=True):
    """Ask for a contact's presence."""

    login: LoginId
    person: WaJid


class FetchStats(WaStruct, frozen=True, kw_only=True):
    """The figures of one session, now."""

    login: LoginId


Call = (
    StartSession
    | StopSession
    | RestartSession
    | StartPairing
    | RequestPhoneCode
    | Logout
    | SendMessage
    | UploadFile
    | FetchSend
    | ForgetSends
    | MarkRead
    | SendTyping
    | SendPresence
    | SubscribePresence
    | FetchStats
    | DirectoryCall
    | GroupCall
    | HistoryCall
)


class Request(WaStruct, frozen=True, kw_only=True):
    """Please do this within the deadline."""

    id: int
    deadline_seconds: float
    call: Call


class Ack(WaStruct, frozen=True, kw_only=True):
    """These events are durable on our side."""

    login: LoginId
    seqs: tuple[JournalSeq, ...]


class Shutdown(WaStruct, frozen=True, kw_only=True):
    """Take all links down, cleanly, and end."""


class LeaseHeld(WaStruct, frozen=True, kw_only=True):
    """The sessions are ours until then, by the machine's clock; a host that hears nothing more ends."""

    until: float


FromBridge = Hello | Heartbeat | Request | Ack | Shutdown | LeaseHeld


class Done(WaStruct, frozen=True, kw_only=True):
    """It is done; there is nothing to say about it."""


Result = (
    Done
    | WaFile
    | WaSent
    | WaSendUncertain
    | WaSendUnknown
    | WaSessionStats
    | WaPhoneCode
    | DirectoryResult
    | GroupResult
    | HistoryResult
)


class Reply(WaStruct, frozen=True, kw_only=True):
    """The answer to a request."""

    id: int
    result: Result


class Refusal(WaStruct, frozen=True, kw_only=True):
    """A request failed. Certain: nothing was done. Final: the same request will fail again."""

    id: int
    code: str
    is_certain: bool = True
    is_final: bool = False


class Event(WaStruct, frozen=True, kw_only=True):
    """A journalled event; repeated after every reconnect until it is acknowledged."""

    login: LoginId
    seq: JournalSeq
    event: WaEvent


class LinkChanged(WaStruct, frozen=True, kw_only=True):
    """Something happened to a link; the last fact of each link is repeated after Hello."""

    login: LoginId
    fact: WaLinkFact


class PairingStep(WaStruct, frozen=True, kw_only=True):
    """A code to show."""

    step: WaQrCode | WaPhoneCode


class PairingDone(WaStruct, frozen=True, kw_only=True):
    """The session file is complete and its host has let go of it."""

    device: WaDevice


class PairingEnded(WaStruct, frozen=True, kw_only=True):
    """The pairing came to nothing; the word is the library's or ours."""

    word: str


class LogLine(WaStruct, frozen=True, kw_only=True):
    """A scrubbed line for the bridge's log."""

    level: int
    logger: str
    text: str


FromHost = (
    Hello | Heartbeat | Reply | Refusal | Event | LinkChanged | PairingStep | PairingDone | PairingEnded | LogLine
)

Incoming = TypeVar("Incoming")


class WireError(Exception):
    """The other side does not speak our language."""


class Channel(Generic[Incoming]):
    """Frames of one connection; reading and writing may go on side by side."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: msgspec.msgpack.Decoder[Incoming],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = decoder
        self._encoder = msgspec.msgpack.Encoder()

    @property
    def is_closing(self) -> bool:
        return self._writer.is_closing()

    def put(self, frame: WaStruct) -> None:
        """Queue a frame; a frame too large for the wire is a fault of the caller."""
        self._writer.write(encode_frame(frame, self._encoder))

    async def drain(self) -> None:
        """Wait until the other side keeps up."""
        await self._writer.drain()

    async def send(self, frame: WaStruct) -> None:
        """Queue a frame and wait until the other side keeps up."""
        self.put(frame)
        await self.drain()

    async def receive(self, *, timeout_seconds: float) -> Incoming | None:
        """The next frame; None when the connection ended."""
        async with asyncio.timeout(timeout_seconds):
            try:
                size = int.from_bytes(await self._reader.readexactly(_PREFIX_BYTES), "big")
                if size > MAX_FRAME_BYTES:
                    raise WireError("frame too large")
                body = await self._reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
        try:
            return self._decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise WireError("frame not understood") from error

    async def close(self) -> None:
        """End the connection; never raises."""
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            return


def encode_frame(frame: WaStruct, encoder: msgspec.msgpack.Encoder | None = None) -> bytes:
    """A frame as bytes, with its length in front."""
    body = (encoder or msgspec.msgpack.Encoder()).encode(frame)
    if len(body) > MAX_FRAME_BYTES:
        raise WireError("frame too large")
    return len(body).to_bytes(_PREFIX_BYTES, "big") + body


def bridge_channel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Channel[FromHost]:
    """The bridge's end of a connection."""
    return Channel(reader, writer, msgspec.msgpack.Decoder(FromHost))


def host_channel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Channel[FromBridge]:
    """The host's end of a connection."""
    return Channel(reader, writer, msgspec.msgpack.Decoder(FromBridge))
