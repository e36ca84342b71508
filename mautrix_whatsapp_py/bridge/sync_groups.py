"""What `sync` does about groups: a room for each, those with recent messages first, then all their members."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mautrix_whatsapp_py.bridge.filters import ChatAddress
from mautrix_whatsapp_py.bridge.sync_deps import PartDeps
from mautrix_whatsapp_py.bridge.syncing import OnProgress, SyncCount
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused
from mautrix_whatsapp_py.ids import MxRoomId, PortalKey, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_directory import WaGroupBrief
from mautrix_whatsapp_py.ports_chats import WhatsAppDirectory
from mautrix_whatsapp_py.store.recency import RecencyRows
from mautrix_whatsapp_py.tasks import each

log = logging.getLogger(__name__)

GROUPS_AT_ONCE = 8


@dataclass(slots=True)
class _Tally:
    """What a part has come to so far."""

    done: int = 0
    changed: int = 0
    roomless: int = 0
    refused: int = 0

    @property
    def note(self) -> str:
        """What else there is to say."""
        notes = []
        if self.roomless:
            notes.append(f"{self.roomless} without a room, which the next message makes")
        if self.refused:
            notes.append(f"{self.refused} that WhatsApp does not show")
        return "; ".join(notes)


class GroupsPart:
    """Groups by their names; thoroughly, with a room for each."""

    def __init__(self, deps: PartDeps) -> None:
        self._deps = deps

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """See SyncPart."""
        directory = self._deps.openings.require_directory(login)
        # A community is a space, which comes with the rooms of its groups.
        every = await directory.fetch_groups()
        groups = [group for group in every if not group.is_community]
        tally = _Tally()

        async def take(group: WaGroupBrief) -> None:
            await self._take(login, group, tally, is_thorough=is_thorough)
            tally.done += 1
            on_progress(tally.done, len(groups))

        await each(await self._by_recency(groups, directory), take, at_once=GROUPS_AT_ONCE)
        tally.changed += await self._let_go(login, {group.jid for group in every})
        return SyncCount(seen=len(groups), changed=tally.changed, note=tally.note)

    async def _let_go(self, login: Login, listed: Collection[WaJid]) -> int:
        """Leave the rooms of groups in which the account is no more, although nobody told; how many."""
        talk, count = self._deps.talk, 0
        for portal in await talk.portals.get_all():
            if portal.room_id is None or not portal.key.chat.is_group or portal.key.chat in listed:
                continue
            if await talk.rooms.has_invited(portal, login):
                count += await talk.following.let_go_if_gone(portal, login)
        return count

    async def _by_recency(
        self, groups: Sequence[WaGroupBrief], directory: WhatsAppDirectory
    ) -> list[WaGroupBrief]:
        """Pinned ones first, then those with the newest messages."""
        try:
            pinned = {one.chat for one in await directory.fetch_chat_settings() if one.is_pinned}
        except WhatsAppError as error:
            log.info("which chats are pinned is not known: %s", error.code)
            pinned = set()
        newest = await self._deps.talk.store.read(RecencyRows().get_shared)
        return sorted(groups, key=lambda group: (group.jid not in pinned, -newest.get(group.jid, 0)))

    async def _take(self, login: Login, group: WaGroupBrief, tally: _Tally, *, is_thorough: bool) -> None:
        portals = self._deps.talk.portals
        portal = await portals.ensure(PortalKey(chat=group.jid))
        is_renamed = bool(group.name) and group.name != portal.name
        if is_renamed:
            portal = await portals.put(replace(portal, name=group.name))
        try:
            is_changed = await self._bring_up(login, portal, tally, is_thorough=is_thorough)
        except WhatsAppRefused as error:
            log.info("a group could not be looked at: %s", error.code)
            tally.refused += 1
            is_changed = False
        tally.changed += is_changed or is_renamed

    async def _bring_up(self, login: Login, portal: Portal, tally: _Tally, *, is_thorough: bool) -> bool:
        """Whether anything about a group's room was not as it should be."""
        # A crash may have come between the making of a room and the note that it is theirs.
        if portal.room_id is not None and await self._deps.talk.rooms.has_invited(portal, login):
            sync_group = self._deps.sync_group
            return sync_group is not None and await sync_group(login, portal.key.chat)
        is_wanted = await self._deps.filters.is_wanted(ChatAddress(chat=portal.key.chat), login)
        if not is_wanted or not is_thorough:
            tally.roomless += is_wanted
            return False
        await self._deps.talk.following.open_group(login, portal)
        return True


class MembersPart:
    """Members of large groups, who otherwise join little by little."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def __call__(self, login: Login, on_progress: OnProgress, *, is_thorough: bool) -> SyncCount:
        """See SyncPart."""
        rooms = await self._find(login)
        total, joined = sum(rooms.values()), 0
        for room_id in rooms:
            async for count in self._talk.following.fill_room(room_id):
                joined += count
                on_progress(joined, total)
        return SyncCount(seen=total, changed=joined)

    async def _find(self, login: Login) -> dict[MxRoomId, int]:
        """How many are missing, by room."""
        following, found = self._talk.following, {}
        for room_id in await following.deps.rooms.get_filling():
            portal_id = self._talk.portals.get_id(room_id)
            portal = await self._talk.portals.get(portal_id) if portal_id is not None else None
            if portal is not None and await self._talk.rooms.has_invited(portal, login):
                found[room_id] = await following.deps.rooms.count_missing(room_id)
        return found
