"""The past, asked of whatever host holds the session now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from mautrix_whatsapp_py.errors import WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChat,
    WaHistoryChats,
    WaHistoryFigures,
    WaHistoryItem,
    WaHistoryKey,
    WaHistoryPage,
    WaHistoryPlan,
    WaHistoryStage,
)
from mautrix_whatsapp_py.whatsapp import wire_history as wire
from mautrix_whatsapp_py.whatsapp.client import Client
from mautrix_whatsapp_py.whatsapp.network import Network

_Answer = TypeVar("_Answer")
_SECONDS = 60.0


class ClientHistory:
    """Implements WhatsAppHistory."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._login = client.login

    async def fetch_figures(self) -> WaHistoryFigures:
        """See WhatsAppHistory."""
        return await self._ask(wire.FetchHistory(login=self._login), WaHistoryFigures)

    async def fetch_chats(self, *, offset: int, limit: int) -> Sequence[WaHistoryChat]:
        """See WhatsAppHistory."""
        call = wire.FetchHistoryChats(login=self._login, offset=offset, limit=limit)
        return (await self._ask(call, WaHistoryChats)).items

    async def plan(
        self, chat: WaJid, stages: Sequence[WaHistoryStage], *, after: datetime | None, limit: int
    ) -> WaHistoryPlan:
        """See WhatsAppHistory."""
        seconds = -1 if after is None else int(after.timestamp())
        call = wire.PlanHistory(
            login=self._login, chat=chat, stages=tuple(stages), after_seconds=seconds, limit=limit
        )
        return await self._ask(call, WaHistoryPlan)

    async def unplan(self, chat: WaJid | None = None) -> None:
        """See WhatsAppHistory."""
        await self._do(wire.UnplanHistory(login=self._login, chat=chat))

    async def fetch_page(
        self,
        chat: WaJid | None,
        stage: WaHistoryStage,
        *,
        limit: int,
        skips: int = 0,
        is_newest_first: bool = False,
    ) -> Sequence[WaHistoryItem]:
        """See WhatsAppHistory."""
        call = wire.FetchHistoryPage(
            login=self._login,
            chat=chat,
            stage=stage,
            limit=limit,
            skips=skips,
            is_newest_first=is_newest_first,
        )
        return (await self._ask(call, WaHistoryPage)).items

    async def settle(self, chat: WaJid, keys: Sequence[WaHistoryKey], stage: WaHistoryStage) -> None:
        """See WhatsAppHistory."""
        if keys:
            await self._do(wire.SettleHistory(login=self._login, chat=chat, keys=tuple(keys), stage=stage))

    async def purge(self, before: datetime) -> None:
        """See WhatsAppHistory."""
        await self._do(wire.PurgeHistory(login=self._login, before_seconds=int(before.timestamp())))

    async def _ask(self, call: wire.HistoryCall, kind: type[_Answer]) -> _Answer:
        answer = await self._client.request(call, deadline_seconds=_SECONDS)
        if not isinstance(answer, kind):
            raise WhatsAppUncertain(code="strange-answer")
        return answer

    async def _do(self, call: wire.HistoryCall) -> None:
        await self._client.request(call, deadline_seconds=_SECONDS)


def open_history(network: Network, login: LoginId) -> ClientHistory | None:
    """The history of a login."""
    client = network.get_client(login)
    return None if client is None else ClientHistory(client)
