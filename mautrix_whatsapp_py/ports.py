"""What the bridge needs of the world; adapters implement it, the fakes of the tests too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mautrix_whatsapp_py.ids import (
    InboxSeq,
    JournalSeq,
    LoginId,
    MxEventId,
    MxRoomId,
    MxTxnId,
    MxUri,
    MxUserId,
    SendId,
    WaJid,
    WaMessageId,
)
from mautrix_whatsapp_py.model.content import MxMessageContent, MxReactionContent, WaKind, WaSendable
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.media import MxFile, MxStoredFile, WaFile
from mautrix_whatsapp_py.model.media_ready import ReadyFile
from mautrix_whatsapp_py.model.mx import (
    MxEphemeral,
    MxEvent,
    MxNewRoom,
    MxNotice,
    MxPicture,
    MxSendStatus,
    MxServerInfo,
    MxStored,
)
from mautrix_whatsapp_py.model.picture import Picture
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollStart, MxPollVote
from mautrix_whatsapp_py.model.wa import WaEvent
from mautrix_whatsapp_py.model.wa_link import (
    WaHostStats,
    WaPairingStep,
    WaPhoneCode,
    WaSendOutcome,
    WaSendUncertain,
    WaSent,
    WaSessionStats,
    WaState,
)
from mautrix_whatsapp_py.tasks import Growth


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> datetime:
        """Aware time of day."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class MatrixApi(Protocol):
    """The homeserver as the bridge uses it.

    Every call has a deadline and retries what may heal (429, 5xx, no connection) with the same
    transaction id; it raises MatrixUnreachable when it gave up and MatrixRefused when told no.
    """

    @property
    def bot(self) -> MxUserId:
        """The bridge's own user."""

    async def join_room(self, room_id: MxRoomId, *, user: MxUserId) -> None:
        """Accept an invitation or join; joining twice is joining once."""

    async def leave_room(self, room_id: MxRoomId, *, user: MxUserId, reason: str = "") -> None:
        """Leave or refuse an invitation; leaving twice is leaving once."""

    async def send_notice(
        self, room_id: MxRoomId, notice: MxNotice, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        """Send or edit a notice; the same transaction id gives the same event."""

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        """Redact an event."""

    @property
    def reads_encrypted(self) -> bool:
        """Whether the bridge can read and write in encrypted rooms."""

    async def upload_media(
        self, data: bytes, *, mimetype: str, filename: str, room_id: MxRoomId | None = None
    ) -> MxUri:
        """Put a file into the homeserver's media store; one for a room that is encrypted goes there encrypted."""

    async def send_picture(
        self, room_id: MxRoomId, picture: MxPicture, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        """Send or edit a picture; the same transaction id gives the same event."""

    async def fetch_is_encrypted(self, room_id: MxRoomId) -> bool:
        """Whether a room's messages are to be encrypted."""

    async def fetch_members(self, room_id: MxRoomId) -> frozenset[MxUserId]:
        """Who is joined or invited, the bot included."""

    async def fetch_server_info(self) -> MxServerInfo:
        """Versions and features of the homeserver."""

    async def fetch_whoami(self) -> MxUserId:
        """The user our token stands for."""

    async def send_ping(self) -> float:
        """Have the homeserver call us back; the seconds it took."""


class MatrixChats(Protocol):
    """The homeserver as portals use it; deadlines, retries and errors are those of MatrixApi."""

    async def ensure_ghost(self, ghost: MxUserId) -> None:
        """Register a ghost; it may exist already."""

    async def set_name(self, ghost: MxUserId, name: str) -> None:
        """Name a ghost."""

    async def create_room(self, room: MxNewRoom) -> MxRoomId:
        """Make a room; asking for the same alias again gives the room that is there."""

    async def adopt_room(self, room_id: MxRoomId, room: MxNewRoom) -> None:
        """Have a room that somebody else made say what it bridges, as far as the bot may."""

    async def invite(self, room_id: MxRoomId, user: MxUserId, *, is_direct: bool = False) -> None:
        """Have the bot invite somebody, if direct to a chat of two; who is there or invited already stays so."""

    async def ensure_joined(self, room_id: MxRoomId, user: MxUserId, *, is_invited: bool = False) -> None:
        """Have one of our users join, invited by the bot unless that was done."""

    async def send_message(
        self,
        room_id: MxRoomId,
        content: MxMessageContent,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        """Send a message or an edit, with the time it was sent at on the other side."""

    async def send_reaction(
        self,
        room_id: MxRoomId,
        content: MxReactionContent,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        """React to an event."""

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        """Redact an event."""

    async def send_receipt(self, room_id: MxRoomId, event_id: MxEventId, *, reader: MxUserId) -> None:
        """Mark everything up to an event as read."""

    async def set_timer(self, room_id: MxRoomId, seconds: int) -> None:
        """Show after how many seconds the messages of a room disappear; 0 is never."""

    async def send_typing(self, room_id: MxRoomId, *, user: MxUserId, for_seconds: float) -> None:
        """Show that somebody types, for so long; 0 ends it."""

    async def set_presence(self, user: MxUserId, *, is_online: bool) -> None:
        """Show one of our users online or not."""

    async def fetch_message(self, room_id: MxRoomId, event_id: MxEventId) -> MxMessageContent | None:
        """What an event says now, edits included; None when it is gone or no message."""

    async def send_poll(
        self,
        room_id: MxRoomId,
        content: MxPollStart | MxPollVote | MxPollEnd,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        """Make a poll, vote in one, or end one."""

    async def fetch_poll(self, room_id: MxRoomId, event_id: MxEventId) -> MxPollStart | None:
        """The poll of an event; None when it is gone or none."""

    async def set_pinned(self, room_id: MxRoomId, event_id: MxEventId, *, is_pinned: bool) -> None:
        """Have the bot pin an event, or no longer; the other pins stay."""

    async def send_status(self, room_id: MxRoomId, status: MxSendStatus, *, txn_id: MxTxnId) -> None:
        """Tell clients what became of a message."""


class MatrixFiles(Protocol):
    """The homeserver's media store, straight from and to files; raises MediaFailed and MatrixUnreachable."""

    async def fetch_limit(self) -> int:
        """How large a file may be in bytes; 0 when that is not said."""

    async def upload_file(
        self, path: Path, *, mimetype: str, filename: str, is_encrypted: bool = False, growth: Growth | None = None
    ) -> MxStoredFile:
        """Store a file, which may still grow; encrypted, it has neither a name nor a type there."""

    async def download_file(self, file: MxFile, into: Path, *, max_bytes: int) -> None:
        """Fetch a file and, where it has a key, decrypt it."""


class WaFileSource(Protocol):
    """WhatsApp's media hosts."""

    async def download_file(self, file: WaFile, kind: WaKind, into: Path, growth: Growth | None = None) -> None:
        """Fetch, decrypt and check a file. Raises MediaFailed; what was written until then is worthless."""


class MediaTools(Protocol):
    """Conversion of files within bounds of time and memory.

    Raises ConversionFailed, whose code is an UnreadyReason.
    """

    async def prepare_for_matrix(
        self, source: Path, kind: WaKind, into: Path, *, with_waveform: bool = False
    ) -> ReadyFile:
        """What Matrix clients are to be told of a file, and another form of it where they could not show it."""

    async def prepare_for_whatsapp(self, source: Path, kind: WaKind, into: Path, *, max_bytes: int) -> ReadyFile:
        """What phones are to be told of a file, another form included where they would not show it."""


class StateReporter(Protocol):
    """Where the states of links are published besides the rooms."""

    def publish_state(self, user: MxUserId, login: Login, state: WaState) -> None:
        """Tell it, in order and in the background; never raises."""


class QrArtist(Protocol):
    """Draws QR codes."""

    def draw_qr(self, text: str) -> Picture:
        """A picture that a phone reads from a screen."""


class MxInbox(Protocol):
    """Where transactions of the homeserver rest until they are handled."""

    async def add_transaction(self, txn_id: MxTxnId, events: Sequence[MxStored]) -> Sequence[MxStored]:
        """Store a transaction in one database transaction; what was new, with sequence numbers.

        A known event id stores nothing; a known transaction id may be one used again. Raises StoreUnavailable when
        nothing was stored.
        """

    async def get_pending(self) -> Sequence[MxStored]:
        """What is not handled yet, oldest first."""

    async def mark_handled(self, seq: InboxSeq) -> None:
        """Forget an event's body; its id stays known."""


class MxEventSink(Protocol):
    """Who is told of Matrix events; every method only enqueues and never raises."""

    def on_mx_event(self, event: MxEvent, seq: InboxSeq) -> None:
        """A stored event."""

    def on_mx_ephemeral(self, event: MxEphemeral) -> None:
        """Typing or a receipt."""


class WaEventSink(Protocol):
    """Who is told of WhatsApp events; every method only enqueues and never raises."""

    def on_wa_event(self, login: LoginId, seq: JournalSeq, event: WaEvent) -> None:
        """An event, in order per login and once per process.

        It comes again in the next process until `ack`ed; numbers grow for ever, so a number that was recorded is
        known for good.
        """

    def on_wa_state(self, login: LoginId, state: WaState) -> None:
        """The link's state changed."""


class WhatsAppClient(Protocol):
    """One login.

    Requests raise WhatsAppUnavailable (nothing done, try again), WhatsAppRefused (nothing done, for good) or
    WhatsAppUncertain (no telling).
    """

    @property
    def login(self) -> LoginId:
        """Whose client this is."""

    @property
    def state(self) -> WaState:
        """Where the link stands."""

    def ack(self, seq: JournalSeq) -> None:
        """The event is durable on our side; never fails, any order."""

    async def send_message(
        self, chat: WaJid, content: WaSendable, *, send_id: SendId, secret: bytes = b""
    ) -> WaSent | WaSendUncertain:
        """Send a message that will carry `secret` (32 bytes).

        The same send id is sent once: calling again, in any later process, gives the first outcome.
        """

    async def upload_file(self, path: Path, kind: WaKind) -> WaFile:
        """Encrypt a file and put it on WhatsApp's servers."""

    async def fetch_send_outcome(self, send_id: SendId, secret: bytes = b"") -> WaSendOutcome:
        """What became of a send."""

    async def forget_sends(self, send_ids: Sequence[SendId]) -> None:
        """These outcomes are recorded on our side."""

    async def mark_read(
        self,
        chat: WaJid,
        sender: WaJid,
        message_ids: Sequence[WaMessageId],
        *,
        at: datetime,
        is_played: bool = False,
    ) -> None:
        """Tell a sender that messages were read or played."""

    async def send_typing(self, chat: WaJid, *, is_typing: bool, is_audio: bool = False) -> None:
        """Show that we type, record, or stopped."""

    async def send_presence(self, *, is_available: bool) -> None:
        """Show us online or not."""

    async def subscribe_presence(self, person: WaJid) -> None:
        """Ask to be told of a contact's presence."""

    async def fetch_stats(self) -> WaSessionStats:
        """Figures of the session, for status."""


class WaPairing(Protocol):
    """An attempt to link an account."""

    def steps(self) -> AsyncIterator[WaPairingStep]:
        """Codes to show as they come; the last step is WaPaired or WaPairingFailed."""

    async def request_phone_code(self, phone: str) -> WaPhoneCode:
        """Another code while the attempt runs; WhatsAppError when refused."""

    async def cancel(self) -> None:
        """Give up; nothing is left behind."""


class WhatsAppNetwork(Protocol):
    """All links."""

    def get_logins(self) -> Sequence[LoginId]:
        """Logins with a session, linked or not."""

    def get_client(self, login: LoginId) -> WhatsAppClient | None:
        """The client of a login."""

    def get_hosts(self) -> Sequence[WaHostStats]:
        """Figures of the session hosts, a few seconds old."""

    async def start_pairing(self, phone: str = "") -> WaPairing:
        """Begin to link an account: by QR code, or by a code for this number."""

    async def connect(self, login: LoginId) -> None:
        """Bring a link up, also one that was disconnected, or anew."""

    async def disconnect(self, login: LoginId) -> None:
        """Take a link down until `connect`, restarts of the bridge included; the account stays linked."""

    async def logout(self, login: LoginId) -> bool:
        """Unlink from the phone and delete the session; False when the phone could not be told."""

    async def delete_session(self, login: LoginId) -> None:
        """Delete the session without telling the phone."""
