"""What `sync` brings up to date by what the session knows: names of people, names and rooms of groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from mautrix_whatsapp_py.bridge.disappearing import set_timer
from mautrix_whatsapp_py.bridge.filters import ChatAddress, Filters
from mautrix_whatsapp_py.bridge.names import shown_name
from mautrix_whatsapp_py.bridge.openings import Openings
from mautrix_whatsapp_py.bridge.persons import name_rank_of
from mautrix_whatsapp_py.bridge.syncing import OnProgress, SyncCount, SyncPart
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER, PortalKey, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_directory import WaContact, WaGroupBrief

SyncGroup = Callable[[Login, WaJid], Awaitable[bool]]
"""Brings the room of a group up to date, when it is that chat's turn; whether anything was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDeps:
    """What they work with."""

    talk: Talk
    openings: Openings
    filters: Filters
    sync_group: SyncGroup | None = None


class ContactsPart:
    """Names that people gave themselves; those of somebody's contact book are theirs alone."""

    def __init__(self, deps: PartDeps) -> None:
        self._deps = deps

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """See SyncPart."""
        contacts = await self._deps.openings.require_directory(login).fetch_contacts()
        changed = 0
        for index, contact in enumerate(contacts, 1):
            changed += await self._learn(contact)
            on_progress(index, len(contacts))
        return SyncCount(seen=len(contacts), changed=changed)

    async def _learn(self, contact: WaContact) -> bool:
        persons, ghosts = self._deps.talk.persons, self._deps.talk.ghosts
        before = await persons.find(contact.jid)
        if before is None:
            # Nobody has met them; their name comes with their first message.
            return False
        person = await persons.resolve(contact.jid, contact.lid)
        name, rank = name_rank_of(push_name=contact.push_name, business_name=contact.business_name)
        person = await persons.learn_name(person, name, rank)
        if person.shown_name and person.shown_name != shown_name(person):
            person = await ghosts.ensure(person)
        return (person.name, person.shown_name, person.lid) != (before.name, before.shown_name, before.lid)


class GroupsPart:
    """Groups by their names; thoroughly, with a room for each."""

    def __init__(self, deps: PartDeps) -> None:
        self._deps = deps

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """See SyncPart."""
        groups = await self._deps.openings.require_directory(login).fetch_groups()
        changed = roomless = 0
        for index, group in enumerate(groups, 1):
            is_new, has_room = await self._take(login, group, is_thorough=is_thorough)
            changed += is_new
            roomless += not has_room
            on_progress(index, len(groups))
        note = f"{roomless} without a room, which the next message makes" if roomless else ""
        return SyncCount(seen=len(groups), changed=changed, note=note)

    async def _take(self, login: Login, group: WaGroupBrief, *, is_thorough: bool) -> tuple[bool, bool]:
        """Whether something changed, and whether the group has a room."""
        portals = self._deps.talk.portals
        portal = await portals.ensure(PortalKey(chat=group.jid))
        is_renamed = bool(group.name) and group.name != portal.name
        if is_renamed:
            portal = await portals.put(replace(portal, name=group.name))
        address = ChatAddress(chat=group.jid, is_community=group.is_community)
        is_wanted = await self._deps.filters.is_wanted(address, login)
        if portal.room_id is not None:
            return await self._refresh(login, group) or is_renamed, True
        if not is_thorough or not is_wanted:
            return is_renamed, not is_wanted
        await self._deps.openings.open_shared(login, group.jid, group.name)
        return True, True

    async def _refresh(self, login: Login, group: WaGroupBrief) -> bool:
        sync_group = self._deps.sync_group
        return sync_group is not None and await sync_group(login, group.jid)


def usual_parts(deps: PartDeps) -> dict[str, SyncPart]:
    """The parts by the words they are asked for with, in the order they are done in."""
    return {"contacts": ContactsPart(deps), "groups": GroupsPart(deps)}


async def refresh_chat(portal: Portal, login: Login, deps: PartDeps) -> list[str]:
    """What a group or channel is called, and for how long its messages stay; what of it changed."""
    directory = deps.openings.require_directory(login)
    chat, changed = portal.key.chat, []
    name, timer_s = portal.name, portal.disappearing_seconds
    if chat.is_group:
        group = await directory.fetch_group(chat)
        name, timer_s = group.name or name, group.disappearing_seconds
    elif chat.server == NEWSLETTER_SERVER:
        name = next((one.name for one in await directory.fetch_newsletters() if one.jid == chat), name)
    if name != portal.name:
        changed.append("its name")
    if timer_s != portal.disappearing_seconds:
        changed.append("the time after which messages disappear")
        await set_timer(portal, timer_s, deps.talk)
    if name != portal.name:
        current = await deps.talk.portals.get(portal.id) or portal
        await deps.talk.portals.put(replace(current, name=name))
    return changed
