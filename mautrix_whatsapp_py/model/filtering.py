"""Which chats somebody wants bridged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChatKind(StrEnum):
    """What kind of chat it is."""

    DIRECT = "direct"
    GROUP = "group"
    COMMUNITY = "community"
    NEWSLETTER = "newsletter"
    STATUS = "status"
    BROADCAST = "broadcast"


class ChatTrait(StrEnum):
    """What may be so about a chat of any kind."""

    ARCHIVED = "archived"
    MUTED = "muted"
    UNKNOWN = "unknown"
    """Nobody of the contact book."""


EVERYTHING = "all"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FilterRule:
    """Lets chats in or keeps them out: one by its id, a kind, a trait, or all of them."""

    subject: str
    """A ChatKind, a ChatTrait, `all`, or the id of a chat."""
    is_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFacts:
    """What rules look at."""

    kind: ChatKind
    ids: frozenset[str]
    """Every way to name the chat."""
    traits: frozenset[ChatTrait] = frozenset()
