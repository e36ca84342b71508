"""How somebody has put a chat: on the phone, and what a Matrix client shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.model.mx import MxReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMarks:
    """What is set on one chat."""

    is_pinned: bool = False
    is_archived: bool = False
    is_muted: bool = False


UNMARKED = ChatMarks()


@dataclass(frozen=True, slots=True, kw_only=True)
class MxAccountNews:
    """What of a user's account data has changed."""

    batch: str
    """From here on everything is news."""
    tags: Mapping[MxRoomId, frozenset[str]]
    unread: Mapping[MxRoomId, bool]
    muted: frozenset[MxRoomId] | None = None
    """Every room that makes no sound; None when nothing was said of any."""
    read: Sequence[MxReceipt] = ()
    """What the user has read without telling others in the room."""
