"""The tree of the configuration: attribute names are key names, defaults are those of example-config.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mautrix_whatsapp_py.config.channel import ChannelSection
from mautrix_whatsapp_py.config.encryption import EncryptionSection
from mautrix_whatsapp_py.config.name_template import DEFAULT_TEMPLATE
from mautrix_whatsapp_py.config.permissions import EXAMPLE_PERMISSIONS, Permissions
from mautrix_whatsapp_py.config.power_levels import NO_OVERRIDES, PowerLevels
from mautrix_whatsapp_py.config.relay_template import DEFAULT_DISTINGUISHERS, DEFAULT_FORMATS, DEFAULT_NAME
from mautrix_whatsapp_py.config.section import Section
from mautrix_whatsapp_py.ids import MxUserId

TOKEN_PLACEHOLDER = "This value is generated when generating the registration"  # noqa: S105  a placeholder
GENERATE = "generate"
"""Stands for a secret that is still to be made."""
DISABLE = "disable"
GHOST_ID = "{{.}}"
SQLITE = "sqlite:///"


class HomeserverSoftware(StrEnum):
    """What kind of server the bridge talks to."""

    STANDARD = "standard"


class BrowserName(StrEnum):
    """Which picture the phone shows beside the bridge among its linked devices."""

    UNKNOWN = "unknown"
    CHROME = "chrome"
    FIREFOX = "firefox"
    OPERA = "opera"
    SAFARI = "safari"
    EDGE = "edge"
    DESKTOP = "desktop"


class StatusNotices(StrEnum):
    """Which changes of a WhatsApp link its owner is told of."""

    NONE = "none"
    ERRORS = "errors"
    ALL = "all"


class DeletedMessages(StrEnum):
    """What becomes of messages that are deleted on WhatsApp."""

    REDACT = "redact"
    MARK = "mark"
    IGNORE = "ignore"


class FilterMode(StrEnum):
    """What a list of chats means."""

    DENY = "deny"
    ALLOW = "allow"


class RoomEnd(StrEnum):
    """What becomes of the rooms of an account that is not linked any more."""

    NOTHING = "nothing"
    KICK = "kick"
    UNBRIDGE = "unbridge"
    DELETE = "delete"


class DisappearingMessages(StrEnum):
    """What becomes of messages whose time is over on WhatsApp."""

    HONOUR = "honour"
    IGNORE = "ignore"


class LogLevel(StrEnum):
    """The least important lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeserverSection(Section):
    """The Matrix server."""

    address: str = "https://matrix.example.com"
    domain: str = "example.com"
    software: HomeserverSoftware = HomeserverSoftware.STANDARD
    status_endpoint: str | None = None
    message_send_checkpoint_endpoint: str | None = None
    retry_limit: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSection(Section):
    """The bridge's own user."""

    username: str = "whatsappbot"
    displayname: str = "WhatsApp bridge bot"
    avatar: str | None = "mxc://maunium.net/NeXNQarUbrlYBiPCpprYsRqr"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppserviceSection(Section):
    """The side of the bridge that the Matrix server calls."""

    address: str = "http://127.0.0.1:29318"
    public_address: str | None = None
    hostname: str = "127.0.0.1"
    port: int = 29318
    id: str = "whatsapp"
    bot: BotSection = field(default_factory=BotSection)
    ephemeral_events: bool = True
    as_token: str = field(default=TOKEN_PLACEHOLDER, repr=False)
    hs_token: str = field(default=TOKEN_PLACEHOLDER, repr=False)
    username_template: str = f"whatsapp_{GHOST_ID}"
    max_body_size_mb: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSection(Section):
    """Where the bridge keeps what it must not forget."""

    uri: str = field(default=f"{SQLITE}whatsapp.db", repr=False)
    max_open_conns: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSection(Section):
    """Which chats get a room, unless users say otherwise for themselves."""

    mode: FilterMode = FilterMode.DENY
    list: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupRooms(Section):
    """What becomes of each kind of room."""

    private: RoomEnd = RoomEnd.NOTHING
    shared_no_users: RoomEnd = RoomEnd.NOTHING
    shared_has_users: RoomEnd = RoomEnd.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupSection(Section):
    """What becomes of the rooms of an account that is not linked any more."""

    enabled: bool = False
    manual: CleanupRooms = field(default_factory=CleanupRooms)
    bad_credentials: CleanupRooms = field(default_factory=CleanupRooms)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySection(Section):
    """Accounts that send what people without one write."""

    enabled: bool = False
    admin_only: bool = True
    prefer_default: bool = True
    default_relays: tuple[str, ...] = ()
    user_distinguishers: tuple[str, ...] = DEFAULT_DISTINGUISHERS
    message_formats: Mapping[str, str] = field(default_factory=lambda: DEFAULT_FORMATS)
    displayname_format: str = DEFAULT_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSection(Section):
    """How the bridge behaves towards Matrix users."""

    command_prefix: str = "!wa"
    bridge_status_notices: StatusNotices = StatusNotices.ERRORS
    bridge_notices: bool = False
    deleted_messages: DeletedMessages = DeletedMessages.REDACT
    disappearing_messages: DisappearingMessages = DisappearingMessages.HONOUR
    private_receipts: bool = False
    outbox_expiry_hours: int = 24
    personal_filtering_spaces: bool = True
    allow_user_invite: bool = True
    power_level_overrides: PowerLevels = NO_OVERRIDES
    kick_matrix_users: bool = True
    bridge_matrix_leave: bool = False
    mute_bridging: bool = True
    mute_only_on_create: bool = False
    tag_only_on_create: bool = False
    cleanup_on_logout: CleanupSection = field(default_factory=CleanupSection)
    relay: RelaySection = field(default_factory=RelaySection)
    portal_create_filter: FilterSection = field(default_factory=FilterSection)
    permissions: Permissions = EXAMPLE_PERMISSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSection(Section):
    """How people are told what became of their messages."""

    message_status_events: bool = False
    delivery_receipts: bool = False
    message_error_notices: bool = True
    sync_direct_chat_list: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSyncSection(Section):
    """How much a phone is asked for with a full history."""

    days_limit: int | None = None
    size_mb_limit: int | None = None
    storage_quota_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySyncSection(Section):
    """The history that a phone hands over when it is linked."""

    max_initial_conversations: int = -1
    request_full_sync: bool = False
    dispatch_wait: str = "10s"
    full_sync_config: FullSyncSection = field(default_factory=FullSyncSection)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSection(Section):
    """What of the past is brought into rooms."""

    enabled: bool = True
    max_initial_messages: int = 50
    max_initial_days: int = 30
    max_catchup_messages: int = 500
    unread_hours_threshold: int = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySection(Section):
    """What is kept of the past besides."""

    keep: int = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSection(Section):
    """How the bridge appears to WhatsApp and reaches it."""

    os_name: str = "Mautrix-WhatsApp bridge"
    browser_name: BrowserName = BrowserName.UNKNOWN
    proxy: str | None = field(default=None, repr=False)
    displayname_template: str = DEFAULT_TEMPLATE
    call_start_notices: bool = True
    reject_calls: bool = False
    reject_calls_text: str = "I cannot take calls here. Please write to me."
    enable_status_broadcast: bool = False
    mute_status_broadcast: bool = True
    status_broadcast_tag: str | None = "m.lowpriority"
    pinned_tag: str | None = "m.favourite"
    archive_tag: str | None = "m.lowpriority"
    url_previews: bool = False
    extev_polls: bool = True
    history_sync: HistorySyncSection = field(default_factory=HistorySyncSection)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsappSection(Section):
    """The processes that hold the WhatsApp sessions."""

    host_command: tuple[str, ...] = ()
    sessions_per_host: int = 20
    session_folder: str | None = None
    keep_links_on_stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSection(Section):
    """Several workers on one database, which share the accounts, and of which one leads."""

    enabled: bool = False
    worker: str = ""
    lease_ttl: int = 10
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DoublePuppetSection(Section):
    """How the bridge acts as its users themselves."""

    servers: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSection(Section):
    """What programs and browsers can ask of the bridge."""

    prefix: str = "/_matrix/provision"
    shared_secret: str = field(default=GENERATE, repr=False)
    allow_matrix_auth: bool = True
    login_page: bool = True

    @property
    def is_enabled(self) -> bool:
        """Whether programs are served at all."""
        return self.shared_secret != DISABLE

    @property
    def usable_secret(self) -> str | None:
        """The secret that opens everything; None when there is none."""
        return None if self.shared_secret in (GENERATE, DISABLE, "") else self.shared_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSection(Section):
    """Figures for Prometheus."""

    enabled: bool = False
    listen: str = "127.0.0.1:8001"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSection(Section):
    """What is logged, how and where."""

    min_level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.TEXT
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Section):
    """The whole configuration."""

    homeserver: HomeserverSection = field(default_factory=HomeserverSection)
    appservice: AppserviceSection = field(default_factory=AppserviceSection)
    database: DatabaseSection = field(default_factory=DatabaseSection)
    bridge: BridgeSection = field(default_factory=BridgeSection)
    matrix: MatrixSection = field(default_factory=MatrixSection)
    network: NetworkSection = field(default_factory=NetworkSection)
    backfill: BackfillSection = field(default_factory=BackfillSection)
    history: HistorySection = field(default_factory=HistorySection)
    whatsapp: WhatsappSection = field(default_factory=WhatsappSection)
    cluster: ClusterSection = field(default_factory=ClusterSection)
    double_puppet: DoublePuppetSection = field(default_factory=DoublePuppetSection)
    encryption: EncryptionSection = field(default_factory=EncryptionSection)
    provisioning: ProvisioningSection = field(default_factory=ProvisioningSection)
    metrics: MetricsSection = field(default_factory=MetricsSection)
    channel: ChannelSection = field(default_factory=ChannelSection)
    logging: LoggingSection = field(default_factory=LoggingSection)
    data_folder: Path = field(default=Path(), metadata={"key": False})
    """Where files go that have no path of their own: beside an SQLite database, else beside the configuration."""

    @property
    def bot_id(self) -> MxUserId:
        """The bridge's own user."""
        return MxUserId(f"@{self.appservice.bot.username}:{self.homeserver.domain}")

    @property
    def session_folder(self) -> Path:
        """Where the WhatsApp sessions are kept."""
        chosen = self.whatsapp.session_folder
        return Path(chosen) if chosen else self.data_folder / "sessions"
