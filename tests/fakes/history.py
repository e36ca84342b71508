"""The port WhatsAppHistory in memory, filled by the test."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.wa import WaMessage
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChat,
    WaHistoryFigures,
    WaHistoryItem,
    WaHistoryKey,
    WaHistoryPlan,
    WaHistoryStage,
)
from mautrix_whatsapp_py.ports_history import WhatsAppHistory

_WAITING = (WaHistoryStage.NEW, WaHistoryStage.WANTED, WaHistoryStage.KEPT)


@dataclass(slots=True, kw_only=True)
class Stored:
    """A message on the shelf."""

    item: WaHistoryItem
    stage: WaHistoryStage = WaHistoryStage.NEW


class FakeHistory:
    """What one session holds; it outlives the bridges that ask it."""

    def __init__(self) -> None:
        self.stored: dict[tuple[WaJid, str, str], Stored] = {}
        self.chats: dict[WaJid, WaHistoryChat] = {}
        self.faults: deque[BaseException] = deque()
        """What the next requests end in."""
        self.chunk_at: datetime | None = None
        self.is_unpacking = False
        self.problems: tuple[str, ...] = ()
        self.purges: list[datetime] = []
        """Before which moments messages were to be forgotten."""

    def add(self, *messages: WaMessage, unread: int = 0, name: str = "") -> None:
        """The phone sends messages of one chat; what is known stays as it is."""
        for message in messages:
            chat = message.source.chat.bare
            key = WaHistoryKey(message_id=message.message_id, sender=str(message.source.sender))
            item = WaHistoryItem(key=key, chat=chat, at=message.timestamp, events=(message,))
            self.stored.setdefault((chat, key.message_id, key.sender), Stored(item=item))
            self.chats[chat] = WaHistoryChat(chat=chat, newest_at=message.timestamp, unread=unread, name=name)

    def count(self, stage: WaHistoryStage) -> int:
        """How many are at a stage."""
        return sum(one.stage is stage for one in self.stored.values())

    async def fetch_figures(self) -> WaHistoryFigures:
        self._begin()
        return WaHistoryFigures(
            is_unpacking=self.is_unpacking,
            chunks=1,
            newest_chunk_at=self.chunk_at,
            new=self.count(WaHistoryStage.NEW),
            wanted=self.count(WaHistoryStage.WANTED),
            kept=self.count(WaHistoryStage.KEPT),
            files=self.count(WaHistoryStage.FILE),
            problems=self.problems,
            problem_count=len(self.problems),
        )

    async def fetch_chats(self, *, offset: int, limit: int) -> Sequence[WaHistoryChat]:
        self._begin()
        found = []
        for chat, described in self.chats.items():
            mine = [one for one in self.stored.values() if one.item.chat == chat and one.stage in _WAITING]
            if not mine:
                continue
            counts = {stage.value: sum(one.stage is stage for one in mine) for stage in _WAITING}
            newest = max(one.item.at for one in mine)
            found.append(msgspec.structs.replace(described, newest_at=newest, **counts))
        found.sort(key=lambda one: one.newest_at, reverse=True)
        return found[offset : offset + limit]

    async def plan(
        self, chat: WaJid, stages: Sequence[WaHistoryStage], *, after: datetime | None, limit: int
    ) -> WaHistoryPlan:
        self._begin()
        mine = sorted(self._of(chat), key=lambda one: one.item.at, reverse=True)
        fitting = [one for one in mine if one.stage in stages]
        late = [one for one in fitting if after is None or one.item.at > after]
        chosen = late if limit < 0 else late[:limit]
        for one in fitting:
            one.stage = WaHistoryStage.WANTED if one in chosen else WaHistoryStage.KEPT
        fits = [one for one in mine if after is None or one.item.at > after]
        oldest_at = min((one.item.at for one in fits if one.stage is WaHistoryStage.WANTED), default=None)
        kept = [one.item.at for one in fits if one.stage is WaHistoryStage.KEPT]
        return WaHistoryPlan(
            wanted=len(chosen),
            kept=len(fitting) - len(chosen),
            left_out=sum(oldest_at is not None and at <= oldest_at for at in kept),
            oldest_at=oldest_at,
            reaches_back=after is not None and any(one.item.at <= after for one in mine),
        )

    async def unplan(self, chat: WaJid | None = None) -> None:
        self._begin()
        for one in self._of(chat):
            if one.stage is WaHistoryStage.WANTED:
                one.stage = WaHistoryStage.KEPT

    async def fetch_page(
        self,
        chat: WaJid | None,
        stage: WaHistoryStage,
        *,
        limit: int,
        skips: int = 0,
        is_newest_first: bool = False,
    ) -> Sequence[WaHistoryItem]:
        self._begin()
        items = [one.item for one in self._of(chat) if one.stage is stage]
        items.sort(key=lambda item: item.at, reverse=is_newest_first)
        return items[skips : skips + limit]

    async def settle(self, chat: WaJid, keys: Sequence[WaHistoryKey], stage: WaHistoryStage) -> None:
        self._begin()
        for key in keys:
            self.stored[(chat, key.message_id, key.sender)].stage = stage

    async def purge(self, before: datetime) -> None:
        self._begin()
        self.purges.append(before)

    def _of(self, chat: WaJid | None) -> list[Stored]:
        return [one for one in self.stored.values() if chat in (None, one.item.chat)]

    def _begin(self) -> None:
        if self.faults:
            raise self.faults.popleft()


def _fits_the_port(history: FakeHistory) -> WhatsAppHistory:
    return history
