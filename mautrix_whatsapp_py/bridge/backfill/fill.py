"""Fills the room of one chat with its past, and only then calls its user."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps
from mautrix_whatsapp_py.bridge.backfill.moving import Moving
from mautrix_whatsapp_py.bridge.from_matrix.receipt import ReadMark, note_own, note_read
from mautrix_whatsapp_py.bridge.from_whatsapp import history
from mautrix_whatsapp_py.convert.history_words import tell_gap, tell_left_out
from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa_history import (
    WaHistoryChat,
    WaHistoryItem,
    WaHistoryKey,
    WaHistoryPlan,
    WaHistoryStage,
)
from mautrix_whatsapp_py.ports_history import WhatsAppHistory
from mautrix_whatsapp_py.store.tx import Work

log = logging.getLogger(__name__)

PAGE: Final = 20
"""Messages that are brought in one turn of a chat: whoever writes there waits no longer than for these."""
MAX_UNREAD: Final = 200


class Count(Protocol):
    """Counts what is done, in one transaction with what else is to be written."""

    async def __call__(self, *, chats: int = 0, messages: int = 0, also: Work[None] | None = None) -> None:
        """So much more is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillJob:
    """One chat of an account."""

    chat: WaHistoryChat
    portal_id: PortalId
    login: Login


class Fill:
    """One chat's work; repeated after whatever ended it, nothing comes twice and nothing is left out."""

    def __init__(
        self,
        job: FillJob,
        deps: BackfillDeps,
        *,
        count: Count,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._job = job
        self._deps = deps
        self._talk = deps.talk
        self._history: WhatsAppHistory = deps.require_history(job.login.id)
        self._count = count
        self._is_cancelled = is_cancelled
        self._moving = Moving(deps.talk, deps.copies)

    async def run(self) -> None:
        """Do it. Raises MatrixUnreachable, StoreUnavailable and WhatsAppError, and is then to be tried again."""
        portal_id = self._job.portal_id
        lock = self._deps.locks.setdefault(portal_id, asyncio.Lock())
        async with lock:
            self._talk.gate.close(portal_id)
            portal = await self._talk.portals.get(portal_id)
            await (self._count(chats=1) if portal is None else self._run(portal))
            self._talk.gate.open(portal_id)
        if not lock.locked():
            self._deps.locks.pop(portal_id, None)

    async def _run(self, portal: Portal) -> None:
        login = self._job.login
        moving = await self._moving.get(portal.id)
        is_new = portal.room_id is None or await self._is_open(portal.id)
        if is_new:
            await self._talk.store.write(lambda tx: self._talk.rows.backfills.open_chat(tx, login.id, portal.id))
            if moving is not None:
                await self._take(portal.id, partial(self._moving.prepare, portal, login, moving))
            await self._plan_new()
            portal = await self._name(portal)
        else:
            await self._plan_catch_up(portal)
        # What was under way when the gate was closed ends first.
        await self._take(portal.id, partial(asyncio.sleep, 0))
        unread = self._count_unread() if is_new and moving is None else 0
        await self._bring_all(portal.id, unread)
        if moving is not None:
            await self._moving.carry_over(portal.id, moving)
            await self._take(portal.id, partial(self._moving.finish, portal.id, moving))
        await self._take(portal.id, partial(self._call_user, portal.id))
        if is_new and unread == 0:
            await self._take(portal.id, partial(self._mark_read, portal.id))
            await self._mark_unread(portal.id)
        await self._count(chats=1, also=lambda tx: self._talk.rows.backfills.close_chat(tx, login.id, portal.id))

    async def _is_open(self, portal_id: PortalId) -> bool:
        """Whether its room was being filled when an earlier try ended."""
        chats = await self._talk.store.read(self._talk.rows.backfills.get_open_chats)
        return (self._job.login.id, portal_id) in chats

    async def _name(self, portal: Portal) -> Portal:
        """The phone has told what a group is called: WhatsApp need not be asked."""
        name = self._job.chat.name
        if portal.room_id is not None or portal.name or not name or portal.person_id is not None:
            return portal
        return await self._talk.portals.put(replace(portal, name=name))

    # What is to be brought

    async def _plan_new(self) -> None:
        settings, now = self._deps.settings, self._talk.clock.now()
        after = None if settings.max_age is None else now - settings.max_age
        limit = 0 if self._is_cancelled() else settings.max_messages
        await self._plan(after, limit)

    async def _plan_catch_up(self, portal: Portal) -> None:
        """What is newer than the newest message from before the account was linked anew."""
        login, room_id = self._job.login, portal.room_id
        edge = await self._talk.store.read(
            lambda tx: self._talk.rows.messages.get_newest_before(tx, portal.id, login.linked_at)
        )
        if edge is None or room_id is None:
            # The room began with what happened since: what is older would come last there.
            await self._plan(None, 0)
            return
        facts, key = self._talk.rows.facts, f"catching-up:{portal.id}:{login.id}"
        if self._job.chat.new:
            # A crash between the choice and the line about what is missing must not lose the line.
            await self._talk.store.write(lambda tx: facts.put(tx, key, "1"))
        elif await self._talk.store.read(lambda tx: facts.get(tx, key)) is None:
            return
        sentence = self._tell_missing(edge, await self._plan(edge, self._deps.settings.max_catchup))
        if sentence:
            txn_id = MxTxnId(f"gap-{portal.id}-{int(edge.timestamp())}")
            await self._talk.delivery.announce(room_id, sentence, txn_id=txn_id)
        await self._talk.store.write(lambda tx: facts.drop(tx, key))

    def _tell_missing(self, edge: datetime, plan: WaHistoryPlan) -> str:
        """What a room is told of messages after a moment that do not come; nothing when all do."""
        if plan.oldest_at is None:
            return ""
        gap = "" if plan.reaches_back else tell_gap(edge, plan.oldest_at)
        if not plan.left_out:
            return gap
        keep_days = self._deps.settings.keep.days
        return f"{tell_left_out(plan.left_out, edge, plan.oldest_at, keep_days=keep_days)} {gap}".rstrip()

    async def _plan(self, after: datetime | None, limit: int) -> WaHistoryPlan:
        """Choose among what is new."""
        return await self._history.plan(self._job.chat.chat, (WaHistoryStage.NEW,), after=after, limit=limit)

    def _count_unread(self) -> int:
        """How many of the newest messages nobody has read on the phone."""
        settings, chat = self._deps.settings, self._job.chat
        is_old = settings.unread_age is not None and chat.newest_at < self._talk.clock.now() - settings.unread_age
        if is_old:
            return 0
        if chat.unread < 0:
            # Clients have a mark for that too; without one, the newest message has to stand for it.
            return 0 if self._talk.doubles.can_act_as(self._job.login.user) else 1
        return min(chat.unread, MAX_UNREAD)

    # Bringing it

    async def _bring_all(self, portal_id: PortalId, unread: int) -> None:
        """The oldest first; what is unread comes after its user was called, so that it counts as such."""
        has_called = unread == 0
        while not self._is_cancelled():
            limit = PAGE + (0 if has_called else unread)
            page = await self._history.fetch_page(self._job.chat.chat, WaHistoryStage.WANTED, limit=limit)
            if not page:
                return
            if not has_called:
                read = page[:PAGE] if len(page) == limit else page[: max(0, len(page) - unread)]
                has_called = not read
                if has_called:
                    await self._take(portal_id, partial(self._call_user, portal_id))
                    await self._take(portal_id, partial(self._mark_read, portal_id))
                    continue
                page = read
            await self._take(portal_id, partial(self._bring, portal_id, page))
        await self._history.unplan(self._job.chat.chat)

    async def _bring(self, portal_id: PortalId, page: Sequence[WaHistoryItem]) -> None:
        """Some messages, in the turn of their chat; what is in the room is forgotten by the session."""
        keys: dict[WaHistoryStage, list[WaHistoryKey]] = {}
        for item in page:
            async with self._deps.pace.place():
                brought = await history.handle(item, portal_id, self._job.login, self._talk)
            stage = WaHistoryStage.FILE if brought.is_waiting_file else WaHistoryStage.DONE
            keys.setdefault(stage, []).append(item.key)
        await self._talk.recorded(portal_id)
        for stage, chosen in keys.items():
            await self._history.settle(self._job.chat.chat, chosen, stage)
        await self._count(messages=sum(bool(item.events) for item in page))

    async def _call_user(self, portal_id: PortalId) -> None:
        portal, login = await self._talk.portals.get(portal_id), self._job.login
        if portal is None or portal.room_id is None:
            return
        async with self._deps.pace.place():
            await self._talk.rooms.ensure_room(portal, login)

    async def _mark_read(self, portal_id: PortalId) -> None:
        """All that is there now was read on the phone: whoever lets us has read it here, too."""
        talk, login = self._talk, self._job.login
        portal = await talk.portals.get(portal_id)
        last = await talk.store.read(lambda tx: talk.rows.messages.get_last(tx, portal_id))
        if last is None or portal is None or portal.room_id is None:
            return
        mark = ReadMark(until=last.sent_at, message_ids=frozenset({last.message_id}))
        await note_read(mark, portal_id, login.id, talk)
        async with self._deps.pace.place():
            # The user's own coming is behind what was read, and homeservers count it.
            newest = await talk.doubles.fetch_newest(login.user, portal.room_id)
        if newest is not None:
            await note_own(newest, portal_id, login.id, talk)
        async with self._deps.pace.place():
            await talk.doubles.mark_read(login.user, portal.room_id, newest or last.event_id)

    async def _mark_unread(self, portal_id: PortalId) -> None:
        """Its user has marked the chat as unread on the phone, though nothing is."""
        portal, user = await self._talk.portals.get(portal_id), self._job.login.user
        if self._job.chat.unread < 0 and portal is not None and portal.room_id is not None:
            async with self._deps.pace.place():
                await self._talk.doubles.mark_unread(user, portal.room_id)

    async def _take(self, portal_id: PortalId, work: Callable[[], Awaitable[None]]) -> None:
        await self._talk.following.deps.turns.take(portal_id, work)
