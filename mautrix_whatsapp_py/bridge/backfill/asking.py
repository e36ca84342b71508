"""More of the past, because somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from mautrix_whatsapp_py.bridge.backfill.backfill import Backfill
from mautrix_whatsapp_py.bridge.backfill.collect import every_chat
from mautrix_whatsapp_py.bridge.backfill.moving import Moving
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import WaMessageId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa_history import WaHistoryChat, WaHistoryStage
from mautrix_whatsapp_py.store.store import Tx

_PAGE: Final = 200
_ASKABLE: Final = (WaHistoryStage.KEPT, WaHistoryStage.NEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What of a chat is stored and not in its room."""

    chat: WaHistoryChat
    count: int


class Asking:
    """Looks at what is stored, and has it brought."""

    def __init__(self, backfill: Backfill) -> None:
        self._backfill = backfill
        self._deps = backfill.deps

    @property
    def is_enabled(self) -> bool:
        return self._deps.settings.is_enabled

    async def find(self, portal: Portal, login: Login) -> Kept | None:
        """What is stored of a chat; None when nothing is. Raises WhatsAppError."""
        async for chat in every_chat(self._deps.require_history(login.id)):
            if not chat.kept:
                continue
            found = await self._deps.find_portal(chat.chat, chat.other, login)
            if found is not None and found.id == portal.id:
                await self._forget_known(chat, portal, login)
                return await self._count(chat, login)
        return None

    async def bring(self, kept: Kept, login: Login, *, limit: int) -> int:
        """Have the newest of a chat's stored messages brought over; how many those are."""
        history = self._deps.require_history(login.id)
        plan = await history.plan(kept.chat.chat, _ASKABLE, after=None, limit=limit)
        self._backfill.begin_now(login)
        return plan.wanted

    async def recreate(self, kept: Kept, portal: Portal, login: Login, *, limit: int) -> int:
        """The same, into a new room that takes the place of the chat's; raises CommandError when it cannot be."""
        await Moving(self._deps.talk, self._deps.copies).begin(portal, login)
        return await self.bring(kept, login, limit=limit)

    async def bring_roomless(self, login: Login, *, limit: int) -> int:
        """Have rooms made for the chats that have none; how many those are."""
        history = self._deps.require_history(login.id)
        count = 0
        async for chat in every_chat(history):
            portal = await self._deps.find_portal(chat.chat, chat.other, login) if chat.kept else None
            if portal is not None and portal.room_id is None:
                plan = await history.plan(chat.chat, _ASKABLE, after=None, limit=limit)
                count += plan.wanted > 0
        self._backfill.begin_now(login)
        return count

    async def _count(self, chat: WaHistoryChat, login: Login) -> Kept | None:
        async for now in every_chat(self._deps.require_history(login.id)):
            if now.chat == chat.chat and now.kept:
                return Kept(chat=now, count=now.kept)
        return None

    async def _forget_known(self, chat: WaHistoryChat, portal: Portal, login: Login) -> None:
        """What an earlier link of the account brought into the room is there already."""
        history, talk = self._deps.require_history(login.id), self._deps.talk
        await talk.recorded(portal.id)
        skips = 0
        while page := await history.fetch_page(chat.chat, WaHistoryStage.KEPT, limit=_PAGE, skips=skips):
            known = []
            for item in page:
                is_known = partial(_is_known, talk, portal.id, item.key.message_id)
                if not item.events or await talk.store.read(is_known):
                    known.append(item.key)
            await history.settle(chat.chat, known, WaHistoryStage.DONE)
            skips += len(page) - len(known)


async def _is_known(talk: Talk, portal_id: PortalId, message_id: WaMessageId, tx: Tx) -> bool:
    return bool(await talk.rows.messages.get_parts(tx, portal_id, message_id))
