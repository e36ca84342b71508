"""What bringing over the past needs of a session; the adapter implements it, the fakes of the tests too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChat,
    WaHistoryFigures,
    WaHistoryItem,
    WaHistoryKey,
    WaHistoryPlan,
    WaHistoryStage,
)


class WhatsAppHistory(Protocol):
    """The history that one session holds; it needs the session's host, not WhatsApp.

    Everything raises WhatsAppUnavailable or WhatsAppUncertain, and may be asked again.
    """

    async def fetch_figures(self) -> WaHistoryFigures:
        """How much there is."""

    async def fetch_chats(self, *, offset: int, limit: int) -> Sequence[WaHistoryChat]:
        """Chats with messages that wait, the newest first."""

    async def plan(
        self, chat: WaJid, stages: Sequence[WaHistoryStage], *, after: datetime | None, limit: int
    ) -> WaHistoryPlan:
        """Want the newest of a chat's messages in these stages, keep the others; a limit below 0 is none."""

    async def unplan(self, chat: WaJid | None = None) -> None:
        """What is wanted, of one chat or of all, is only kept."""

    async def fetch_page(
        self,
        chat: WaJid | None,
        stage: WaHistoryStage,
        *,
        limit: int,
        skips: int = 0,
        is_newest_first: bool = False,
    ) -> Sequence[WaHistoryItem]:
        """Some messages of a stage, of one chat or of all."""

    async def settle(self, chat: WaJid, keys: Sequence[WaHistoryKey], stage: WaHistoryStage) -> None:
        """Messages have come to a stage."""

    async def purge(self, before: datetime) -> None:
        """Forget kept messages that came before a moment."""


OpenHistory: TypeAlias = Callable[[LoginId], WhatsAppHistory | None]
"""The history of a login; None when it has no session."""
