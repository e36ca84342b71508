"""What one account of the channel may do and how it behaves; defaults are those of example-config.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

EVERYBODY = "*"


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
class GroupRule:
    """How one group, or every other one, is treated."""

    require_mention: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AckReaction:
    """The reaction that shows acceptance."""

    emoji: str
    direct: bool = True
    group: AckGroups = AckGroups.MENTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """Who is heard, where, and what wakes the reader; numbers are digits, chats are addresses."""

    allowed_chat_ids: tuple[str, ...] = (EVERYBODY,)
    dm_policy: DmPolicy = DmPolicy.PAIRING
    allow_from: frozenset[str] = frozenset()
    group_policy: GroupPolicy = GroupPolicy.ALLOWLIST
    group_allow_from: frozenset[str] | None = None
    groups: Mapping[str, GroupRule] | None = None
    mention_patterns: tuple[str, ...] = ()
    activation: Activation = Activation.MENTION
    self_chat_mode: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRules:
    """How texts look on their way in and out."""

    message_prefix: str | None = None
    response_prefix: str | None = None
    history_limit: int = 50
    dm_history_limit: int | None = None
    history_limit_by_number: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    dm_scope: DmScope = DmScope.MAIN
    debounce_ms: int = 0
    text_chunk_limit: int = 4000
    chunk_mode: ChunkMode = ChunkMode.LENGTH
