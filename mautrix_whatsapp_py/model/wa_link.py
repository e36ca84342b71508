"""The link of one login to WhatsApp: facts, states, pairing, what sending came to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mautrix_whatsapp_py.ids import LoginId, SendId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.struct import WaStruct


class WaLinkKind(StrEnum):
    """What happened to a link."""

    STARTING = "starting"
    DIALLING = "dialling"
    DIAL_FAILED = "dial-failed"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    KEEPALIVE_TIMEOUT = "keepalive-timeout"
    KEEPALIVE_RESTORED = "keepalive-restored"
    LOGGED_OUT = "logged-out"
    NOT_LOGGED_IN = "not-logged-in"
    REPLACED = "replaced"
    OUTDATED = "outdated"
    TEMPORARY_BAN = "temporary-ban"
    CONNECT_FAILURE = "connect-failure"
    STREAM_ERROR = "stream-error"
    PUMP_DIED = "pump-died"
    DEAF = "deaf"
    DISK_FULL = "disk-full"
    DISK_FREE = "disk-free"
    PHONE_UNSEEN = "phone-unseen"
    PHONE_SEEN = "phone-seen"
    STOPPED = "stopped"
    HOST_LOST = "host-lost"


class WaLinkFact(WaStruct, frozen=True, kw_only=True):
    """Something that happened to a link, as its session host saw it."""

    kind: WaLinkKind
    at: datetime
    code: str = ""
    """Reason or code as WhatsApp gives it, for kinds that have one."""
    until: datetime | None = None
    """End of a temporary ban."""


class WaStateKind(StrEnum):
    """State of a login; the names are those clients of bridges know."""

    STARTING = "STARTING"
    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    TRANSIENT_DISCONNECT = "TRANSIENT_DISCONNECT"
    BAD_CREDENTIALS = "BAD_CREDENTIALS"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"
    LOGGED_OUT = "LOGGED_OUT"


class WaState(WaStruct, frozen=True, kw_only=True):
    """Where a link stands and since when; `error` and `message` are empty when all is well."""

    kind: WaStateKind
    since: datetime
    error: str = ""
    message: str = ""
    until: datetime | None = None

    @property
    def is_usable(self) -> bool:
        """Whether messages can be sent now."""
        return self.kind is WaStateKind.CONNECTED

    @property
    def needs_login(self) -> bool:
        """Whether only a new login helps."""
        return self.kind in (WaStateKind.BAD_CREDENTIALS, WaStateKind.LOGGED_OUT) and self.error != BAN_ERROR


BAN_ERROR = "wa-temporary-ban"
REPLACED_ERROR = "wa-stream-replaced"


class WaSessionStats(WaStruct, frozen=True, kw_only=True):
    """Figures of one session, for `status`."""

    login: LoginId
    journal_depth: int = 0
    restarts: int = 0
    pump_deaths: int = 0
    undecoded: int = 0
    last_event_at: datetime | None = None
    last_send_at: datetime | None = None
    phone_seen_at: datetime | None = None
    is_paused_by_disk: bool = False


class WaHostStats(WaStruct, frozen=True, kw_only=True):
    """Figures of one session host."""

    host: str
    pid: int
    resident_bytes: int = 0
    threads: int = 0
    descriptors: int = 0
    leaked_threads: int = 0
    sessions: tuple[WaSessionStats, ...] = ()


class WaDevice(WaStruct, frozen=True, kw_only=True):
    """The account a session belongs to."""

    login: LoginId
    jid: WaJid
    lid: WaJid | None = None
    push_name: str = ""
    business_name: str = ""
    platform: str = ""


class WaQrCode(WaStruct, frozen=True, kw_only=True):
    """Show this as a QR code until it expires; the next one follows by itself."""

    data: str
    expires_in_seconds: float


class WaPhoneCode(WaStruct, frozen=True, kw_only=True):
    """Let the user type this on the phone."""

    code: str


class WaPaired(WaStruct, frozen=True, kw_only=True):
    """The phone agreed; the session now runs as an ordinary login."""

    device: WaDevice
    has_replaced: bool = False
    """An earlier session of the same account was here and is gone."""


class WaPairingFailure(StrEnum):
    """Why a pairing came to nothing."""

    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    OUTDATED = "outdated"
    NO_MULTIDEVICE = "no-multidevice"
    UNEXPECTED_STATE = "unexpected-state"
    PASSKEY = "passkey"
    REFUSED = "refused"
    """The phone or the server did not accept us; four linked devices end so as well."""
    NUMBER_INVALID = "number-invalid"
    NUMBER_TOO_SHORT = "number-too-short"
    NUMBER_NOT_INTERNATIONAL = "number-not-international"
    RATE_LIMITED = "rate-limited"
    NETWORK = "network"
    BUSY = "busy"
    HOST = "host"


class WaPairingFailed(WaStruct, frozen=True, kw_only=True):
    """The attempt is over and left nothing behind."""

    reason: WaPairingFailure


WaPairingStep = WaQrCode | WaPhoneCode | WaPaired | WaPairingFailed


class WaSent(WaStruct, frozen=True, kw_only=True):
    """WhatsApp has the message."""

    send_id: SendId
    message_id: WaMessageId
    timestamp: datetime
    sender: WaJid | None = None
    chat: WaJid | None = None
    server_id: int = 0


class WaSendUncertain(WaStruct, frozen=True, kw_only=True):
    """The message may have left under this id; a receipt for it settles it."""

    send_id: SendId
    message_id: WaMessageId


class WaSendUnknown(WaStruct, frozen=True, kw_only=True):
    """The message never left: sending it (again) doubles nothing."""

    send_id: SendId


WaSendOutcome = WaSent | WaSendUncertain | WaSendUnknown
