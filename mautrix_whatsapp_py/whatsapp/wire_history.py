"""The part of the language between bridge and hosts that is about the past."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChats,
    WaHistoryFigures,
    WaHistoryKey,
    WaHistoryPage,
    WaHistoryPlan,
    WaHistoryStage,
)


class FetchHistory(WaStruct, frozen=True, kw_only=True):
    """How much history is stored?"""

    login: LoginId


class FetchHistoryChats(WaStruct, frozen=True, kw_only=True):
    """Chats with stored messages, the newest first."""

    login: LoginId
    offset: int
    limit: int


class PlanHistory(WaStruct, frozen=True, kw_only=True):
    """Choose the newest of a chat's messages in these stages, sent after a moment; keep the others."""

    login: LoginId
    chat: WaJid
    stages: tuple[WaHistoryStage, ...]
    after_seconds: int
    limit: int


class UnplanHistory(WaStruct, frozen=True, kw_only=True):
    """What was chosen is only kept again: of one chat, or of all."""

    login: LoginId
    chat: WaJid | None = None


class FetchHistoryPage(WaStruct, frozen=True, kw_only=True):
    """Some messages of a stage: of one chat, or of all."""

    login: LoginId
    chat: WaJid | None
    stage: WaHistoryStage
    limit: int
    skips: int = 0
    is_newest_first: bool = False


class SettleHistory(WaStruct, frozen=True, kw_only=True):
    """These messages have come to a stage."""

    login: LoginId
    chat: WaJid
    keys: tuple[WaHistoryKey, ...]
    stage: WaHistoryStage


class PurgeHistory(WaStruct, frozen=True, kw_only=True):
    """Forget kept messages that came before a moment."""

    login: LoginId
    before_seconds: int


HistoryCall = (
    FetchHistory
    | FetchHistoryChats
    | PlanHistory
    | UnplanHistory
    | FetchHistoryPage
    | SettleHistory
    | PurgeHistory
)
HistoryResult = WaHistoryFigures | WaHistoryChats | WaHistoryPlan | WaHistoryPage
