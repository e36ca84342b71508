"""The keys of the channel; defaults are those of example-config.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from mautrix_whatsapp_py.config.section import Section

EVERYBODY = "*"
BRIDGE_URL = "http://127.0.0.1:39731/bridge"


class DmPolicy(StrEnum):
    """Whose direct messages are taken."""

    PAIRING = "pairing"
    ALLOWLIST = "allowlist"
    OPEN = "open"
    DISABLED = "disabled"


class GroupPolicy(StrEnum):
    """Whose messages in groups are taken."""

    OPEN = "open"
    ALLOWLIST = "allowlist"
    DISABLED = "disabled"


class Activation(StrEnum):
    """What wakes the reader of a group: a mention of the account, or any message."""

    MENTION = "mention"
    ALWAYS = "always"


class ChunkMode(StrEnum):
    """Where long texts are cut."""

    LENGTH = "length"
    NEWLINE = "newline"


class DmScope(StrEnum):
    """Whether direct chats share one session key."""

    MAIN = "main"
    PER_CONTACT = "per_contact"


class AckGroups(StrEnum):
    """In which groups' messages acceptance is shown by a reaction."""

    ALWAYS = "always"
    MENTIONS = "mentions"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRule(Section):
    """How one group, or every other one, is treated."""

    require_mention: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DmRule(Section):
    """How one direct chat is treated."""

    history_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AckReaction(Section):
    """The reaction that shows acceptance."""

    emoji: str = ""
    direct: bool = True
    group: AckGroups = AckGroups.MENTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeys(Section):
    """How conversations are told apart."""

    dm_scope: DmScope = DmScope.MAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelActions(Section):
    """What may be sent beside messages."""

    reactions: bool = True
    polls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReconnect(Section):
    """How a lost link is tried again."""

    initial_ms: int = 2000
    max_ms: int = 30000
    factor: float = 1.8
    jitter: float = 0.25
    max_attempts: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelWeb(Section):
    """The account's link."""

    enabled: bool = True
    heartbeat_seconds: int = 60
    stall_minutes: int = 30
    reconnect: ChannelReconnect = field(default_factory=ChannelReconnect)


@dataclass(frozen=True, slots=True)
class Named(Mapping[str, Any]):
    """Keys that the user names: groups, chats, accounts."""

    entries: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> Any:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


class GroupRules(Named):
    """Rules by a group's address or `*`."""

    __slots__ = ()


class DmRules(Named):
    """Rules by a contact's number."""

    __slots__ = ()


class ChannelAccounts(Named):
    """Accounts by name, each with its own keys over the channel's."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAccount(Section):
    """What one account of the channel may do and how it behaves."""

    enabled: bool = False
    login: str | None = field(default=None, repr=False)
    auth_dir: str | None = None
    allowed_chat_ids: tuple[str, ...] = (EVERYBODY,)
    dm_policy: DmPolicy = DmPolicy.PAIRING
    allow_from: tuple[str, ...] = field(default=(), repr=False)
    group_policy: GroupPolicy = GroupPolicy.ALLOWLIST
    group_allow_from: tuple[str, ...] | None = field(default=None, repr=False)
    groups: GroupRules | None = None
    mention_patterns: tuple[str, ...] = ()
    activation: Activation = Activation.MENTION
    self_chat_mode: bool | None = None
    message_prefix: str | None = None
    response_prefix: str | None = None
    history_limit: int = 50
    dm_history_limit: int | None = None
    dms: DmRules | None = None
    session: SessionKeys = field(default_factory=SessionKeys)
    debounce_ms: int = 0
    text_chunk_limit: int = 4000
    chunk_mode: ChunkMode = ChunkMode.LENGTH
    media_max_mb: int = 50
    outbound_media_max_mb: int = 5
    send_read_receipts: bool = True
    ack_reaction: AckReaction | None = None
    actions: ChannelActions = field(default_factory=ChannelActions)
    config_writes: bool = True
    web: ChannelWeb = field(default_factory=ChannelWeb)


class HookKind(StrEnum):
    """What webhooks can be told of."""

    MESSAGE = "message"
    ACCOUNT = "account"
    PAIRING = "pairing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Section):
    """A program that is told of events by HTTP."""

    url: str = ""
    secret: str = field(default="", repr=False)
    events: tuple[str, ...] = (EVERYBODY,)
    accounts: tuple[str, ...] = (EVERYBODY,)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def wants(self, kind: HookKind, account: str) -> bool:
        """Whether it is told of such an event."""
        is_kind = EVERYBODY in self.events or kind in self.events
        return is_kind and (EVERYBODY in self.accounts or account in self.accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSection(ChannelAccount):
    """The linked accounts as a local API for agents and scripts."""

    bridge_url: str = BRIDGE_URL
    bridge_url_env: str | None = None
    auth_dir_env: str | None = None
    allow_non_loopback: bool = False
    token: str | None = field(default=None, repr=False)
    media_roots: tuple[str, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    webhook_max_age_hours: int = 24
    accounts: ChannelAccounts = field(default_factory=ChannelAccounts)

    def of_account(self, account: str) -> ChannelAccount:
        """An account's keys: its own over the channel's over the defaults."""
        found: ChannelAccount | None = self.accounts.get(account)
        if found is not None:
            return found
        return ChannelAccount(**{key.name: getattr(self, key.name) for key in fields(ChannelAccount)})
