"""Polls on Matrix, and what is remembered of polls of either side."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix_whatsapp_py.ids import MxEventId, MxUserId, PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPollOption:
    """An answer one can give, and the id by which votes name it."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPollStart:
    """A poll; 0 selections at most is any number of them."""

    question: str
    options: tuple[MxPollOption, ...]
    max_selections: int = 1
    is_hidden: bool = False
    """Whether results are to be seen only at its end."""
    fallback: str = ""
    """What clients show that know no polls."""
    mentions: frozenset[MxUserId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPollVote:
    """Somebody's vote, in place of the one before; no options take it back."""

    poll: MxEventId
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPollEnd:
    """A poll is over."""

    poll: MxEventId


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOption:
    """An option as the two sides name it: by an id, and by the SHA-256 of its text."""

    id: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PollVote:
    """What somebody chose."""

    person_id: PersonId
    digests: tuple[bytes, ...]
