"""Which chats of an account have a past to be brought over, the newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Final

from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps
from mautrix_whatsapp_py.bridge.backfill.fill import FillJob
from mautrix_whatsapp_py.bridge.rooms import chat_address
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa_history import WaHistoryChat, WaHistoryStage
from mautrix_whatsapp_py.ports_history import WhatsAppHistory

_PAGE: Final = 200


async def every_chat(history: WhatsAppHistory) -> AsyncIterator[WaHistoryChat]:
    """All chats of which something is stored."""
    found: list[WaHistoryChat] = []
    offset = 0
    while page := await history.fetch_chats(offset=offset, limit=_PAGE):
        found += page
        offset += len(page)
    for chat in found:
        yield chat


async def collect_jobs(login: Login, deps: BackfillDeps, *, is_open: bool) -> list[FillJob]:
    """The chats to be worked on; what is new of any other is kept. Closed: nothing new is taken on."""
    history = deps.require_history(login.id)
    jobs: list[FillJob] = []
    rooms_left = deps.settings.max_chats if is_open else 0
    async for chat in every_chat(history):
        if not chat.new and not chat.wanted:
            continue
        portal = await _find(chat, login, deps)
        is_wanted = portal is not None and (is_open or chat.wanted > 0)
        if portal is not None and portal.room_id is None and is_wanted and not chat.wanted:
            is_wanted, rooms_left = rooms_left != 0, max(rooms_left - 1, -1)
        if portal is None or not is_wanted:
            await history.plan(chat.chat, (WaHistoryStage.NEW,), after=None, limit=0)
            await history.unplan(chat.chat)
            continue
        if await _is_up_to_date(chat, portal, login, deps):
            await history.plan(chat.chat, (WaHistoryStage.NEW,), after=None, limit=0)
            continue
        jobs.append(FillJob(chat=chat, portal_id=portal.id, login=login))
    return jobs + await _unfinished(login, deps, {job.portal_id for job in jobs})


async def fetch_open(login: Login, deps: BackfillDeps) -> list[PortalId]:
    """Chats of an account whose rooms were being filled when it was last seen to."""
    opened = await deps.talk.store.read(deps.talk.rows.backfills.get_open_chats)
    return [portal_id for login_id, portal_id in opened if login_id == login.id]


async def _unfinished(login: Login, deps: BackfillDeps, known: Collection[PortalId]) -> list[FillJob]:
    """Rooms that have all their messages, and only their user was not called yet."""
    jobs = []
    for portal_id in await fetch_open(login, deps):
        portal = None if portal_id in known else await deps.talk.portals.get(portal_id)
        if portal is not None:
            partner = None if portal.person_id is None else await deps.talk.persons.get(portal.person_id)
            chat = WaHistoryChat(chat=chat_address(portal, partner), newest_at=deps.talk.clock.now())
            jobs.append(FillJob(chat=chat, portal_id=portal_id, login=login))
    return jobs


async def _is_up_to_date(chat: WaHistoryChat, portal: Portal, login: Login, deps: BackfillDeps) -> bool:
    """Whether a room has all that would not come out of order there, and its user."""
    talk = deps.talk
    if portal.room_id is None or chat.wanted:
        return False
    if portal.id in await fetch_open(login, deps) or not await talk.rooms.has_invited(portal, login):
        return False
    edge = await talk.store.read(lambda tx: talk.rows.messages.get_newest_before(tx, portal.id, login.linked_at))
    return edge is None or chat.newest_at <= edge


async def _find(chat: WaHistoryChat, login: Login, deps: BackfillDeps) -> Portal | None:
    """The portal of a chat that may get, or has, a room."""
    age = deps.settings.max_age
    portal = await deps.find_portal(chat.chat, chat.other, login)
    is_old = age is not None and chat.newest_at < deps.talk.clock.now() - age
    return None if portal is None or (portal.room_id is None and is_old and not chat.wanted) else portal
