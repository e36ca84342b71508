"""The past as a phone hands it over: chats, what was said in them, and how much of it still waits."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa import WaMessage


class WaHistoryStage(StrEnum):
    """How far a stored message has come."""

    NEW = "new"
    """Nobody has decided about it yet."""
    WANTED = "wanted"
    """It is to be brought into its room."""
    KEPT = "kept"
    """It waits for somebody to ask for it."""
    FILE = "file"
    """It is in its room, only its file is not yet."""
    DONE = "done"
    """It is in its room; what it says is forgotten, its id stays known."""


class WaHistoryChat(WaStruct, frozen=True, kw_only=True):
    """A chat with messages that wait."""

    chat: WaJid
    other: WaJid | None = None
    """Its other address, where WhatsApp gave one."""
    name: str = ""
    newest_at: datetime
    new: int = 0
    wanted: int = 0
    kept: int = 0
    unread: int = 0
    """How many messages nobody has read on the phone; -1 where all were, but it was marked as unread by hand."""
    is_archived: bool = False


class WaHistoryChats(WaStruct, frozen=True, kw_only=True):
    """Chats, the one with the newest message first."""

    items: tuple[WaHistoryChat, ...] = ()


class WaHistoryKey(WaStruct, frozen=True, kw_only=True):
    """Names a stored message within its chat."""

    message_id: WaMessageId
    sender: str


class WaHistoryItem(WaStruct, frozen=True, kw_only=True):
    """A stored message: itself, then what others did about it. Empty when it says nothing to users."""

    key: WaHistoryKey
    chat: WaJid
    at: datetime
    events: tuple[WaMessage, ...] = ()


class WaHistoryPage(WaStruct, frozen=True, kw_only=True):
    """Some stored messages."""

    items: tuple[WaHistoryItem, ...] = ()


class WaHistoryPlan(WaStruct, frozen=True, kw_only=True):
    """What was decided about a chat's new messages."""

    wanted: int = 0
    kept: int = 0
    oldest_at: datetime | None = None
    """When the oldest one after that moment was sent that is wanted, now or from before."""
    left_out: int = 0
    """How many after that moment come before it and are only kept."""
    reaches_back: bool = False
    """Whether there are stored messages from before those that were asked for."""


class WaHistoryFigures(WaStruct, frozen=True, kw_only=True):
    """How much history a session holds."""

    is_unpacking: bool = False
    chunks: int = 0
    newest_chunk_at: datetime | None = None
    new: int = 0
    wanted: int = 0
    kept: int = 0
    files: int = 0
    problems: tuple[str, ...] = ()
    """What was wrong with chunks, a sentence each, the newest few first."""
    problem_count: int = 0
    """With how many chunks something was."""
