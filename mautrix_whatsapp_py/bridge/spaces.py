"""Spaces: one per account with its chats, one per community with its groups; kept right by comparing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from mautrix_whatsapp_py.bridge.group_rooms import GroupRooms
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.convert.group_words import clean_name
from mautrix_whatsapp_py.errors import BridgeError, MatrixRefused, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUserId, WaJid, decode_jid, login_tag
from mautrix_whatsapp_py.model.group import SpaceRecord
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx_room import MxNewSpace
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.ports import Clock, MatrixChats
from mautrix_whatsapp_py.ports_chats import MatrixRooms, OpenDirectory
from mautrix_whatsapp_py.ports_groups import MatrixGroups
from mautrix_whatsapp_py.store.group_records import SpaceRecords
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

COMMUNITY_NAME = "WhatsApp community"
SETTLE_SECONDS = 1.0
"""Several rooms are often made one after the other: their spaces are looked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDeps:
    """What they work with."""

    store: Store
    portals: Portals
    rooms: GroupRooms
    chat_rooms: Rooms
    chats: MatrixChats
    groups: MatrixGroups
    open_directory: OpenDirectory
    clock: Clock
    removals: MatrixRooms
    is_wanted: bool = True


class Spaces:
    """Makes spaces, fills them, and makes them again when they are gone."""

    def __init__(self, deps: SpaceDeps) -> None:
        self._deps = deps
        self._rows = SpaceRecords()
        self._waiting: set[LoginId] = set()
        self._told: dict[str, str] = {}
        """New names of communities whose spaces are still to be looked at."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        if deps.is_wanted:
            deps.chat_rooms.add_listener(self._on_room)

    async def sync(self, login: Login, *, asks_names: bool = False) -> int:
        """Have an account's spaces hold what they should, called as WhatsApp says; how many things were not so."""
        if not self._deps.is_wanted:
            return 0
        async with self._lock:
            chats, communities = await self._sort(login)
            changed = await self._clear(communities)
            spaces = set()
            for community, rooms in sorted(communities.items()):
                name = await self._name(community, login, asks=asks_names)
                space_id, more = await self._ensure_community(community, name, rooms, login)
                spaces.add(space_id)
                changed += more
            if not chats and not spaces:
                return changed
            name = f"WhatsApp ({login.number})"
            _, more = await self._ensure(f"{login.id}", name, chats | spaces, login.user)
            return changed + more

    async def get_parent(self, community: str, login: Login) -> MxRoomId | None:
        """The space that a chat will be put into, if it is there already."""
        if not self._deps.is_wanted:
            return None
        async with self._deps.store.reading() as tx:
            record = await self._rows.get(tx, community or login.id)
        return None if record is None else MxRoomId(record.room_id)

    async def part(self, login_id: LoginId, user: MxUserId, reason: str) -> None:
        """Take somebody out of the space of an account that is not theirs any more."""
        async with self._lock:
            async with self._deps.store.reading() as tx:
                record = await self._rows.get(tx, login_id)
            if record is None or user not in record.invited:
                return
            await self._deps.removals.remove_from(MxRoomId(record.room_id), user, reason=reason)
            await self._put(login_id, msgspec.structs.replace(record, invited=record.invited - {user}))

    def want(self, login: Login) -> None:
        """Look at an account's spaces when there is time; never waits."""
        if self._deps.is_wanted and login.id not in self._waiting:
            self._waiting.add(login.id)
            spawn(self._look(login), name=f"spaces:{login_tag(login.id)}", tasks=self._tasks)

    def note_name(self, community: WaJid, name: str, login: Login) -> None:
        """A community has another name; never waits."""
        if clean_name(name):
            self._told[str(community)] = clean_name(name)
            self.want(login)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop what is under way; the next room takes it up again."""
        await end_all(self._tasks)

    def _on_room(self, _portal: Portal, login: Login) -> None:
        self.want(login)

    async def _look(self, login: Login) -> None:
        await self._deps.clock.sleep(SETTLE_SECONDS)
        self._waiting.discard(login.id)
        try:
            await self.sync(login)
        except BridgeError as error:
            log.info("spaces of login %s have to wait: %s", login_tag(login.id), type(error).__name__)

    async def _sort(self, login: Login) -> tuple[set[MxRoomId], dict[str, set[MxRoomId]]]:
        """The rooms of an account, those of communities by their community."""
        chats: set[MxRoomId] = set()
        communities: dict[str, set[MxRoomId]] = {}
        for portal in await self._deps.portals.get_all():
            if portal.room_id is None or not await self._deps.chat_rooms.has_invited(portal, login):
                continue
            facts = (await self._deps.rooms.get(portal.room_id)).facts if portal.key.chat.is_group else None
            if facts is not None and facts.community:
                communities.setdefault(facts.community, set()).add(portal.room_id)
            else:
                chats.add(portal.room_id)
        return chats, communities

    async def _name(self, community: str, login: Login, *, asks: bool) -> str:
        """What a community is called: as was just told, as is known, or as WhatsApp says when it is asked."""
        async with self._deps.store.reading() as tx:
            known = await self._rows.get(tx, community)
        told = self._told.pop(community, "")
        if told or (known is not None and not asks):
            return told or (known.name if known is not None else "")
        return await self._ask_name(community, login) or (known.name if known is not None else COMMUNITY_NAME)

    async def _ensure_community(
        self, community: str, name: str, rooms: set[MxRoomId], login: Login
    ) -> tuple[MxRoomId, int]:
        async with self._deps.store.reading() as tx:
            known = await self._rows.get(tx, community)
        # Shared by all who are in it: what others see there stays.
        held = {MxRoomId(room) for room in known.children} if known is not None else set()
        alive = {room for room in held if await self._is_in(room, community)}
        return await self._ensure(community, name, rooms | alive, login.user)

    async def _is_in(self, room_id: MxRoomId, community: str) -> bool:
        if self._deps.portals.get_id(room_id) is None:
            return False
        return (await self._deps.rooms.get(room_id)).facts.community == community

    async def _clear(self, communities: Collection[str]) -> int:
        """Take out of other communities' spaces what is not in them any more."""
        async with self._deps.store.reading() as tx:
            owners = [owner for owner in await self._rows.get_owners(tx) if "@" in owner]
            records = [(owner, await self._rows.get(tx, owner)) for owner in owners if owner not in communities]
        changed = 0
        for owner, record in records:
            if record is None:
                continue
            gone = [MxRoomId(room) for room in record.children if not await self._is_in(MxRoomId(room), owner)]
            for room_id in sorted(gone):
                await self._deps.groups.set_child(MxRoomId(record.room_id), room_id, is_child=False)
            if gone:
                await self._put(owner, msgspec.structs.replace(record, children=record.children - set(gone)))
            changed += len(gone)
        return changed

    async def _ask_name(self, community: str, login: Login) -> str:
        directory = self._deps.open_directory(login.id)
        try:
            group = await directory.fetch_group(decode_jid(community)) if directory is not None else None
        except WhatsAppError as error:
            log.info("a community cannot be looked at: %s", type(error).__name__)
            return ""
        return clean_name(group.name) if group is not None else ""

    async def _ensure(
        self, owner: str, name: str, children: set[MxRoomId], user: MxUserId
    ) -> tuple[MxRoomId, int]:
        """A space of this name, with these rooms and this user; how many things were not so."""
        async with self._deps.store.reading() as tx:
            record = await self._rows.get(tx, owner)
        try:
            return await self._bring(owner, record, name, children, user)
        except MatrixRefused as error:
            if record is None:
                raise
            log.info("a space is gone and is made anew: %s", error.errcode)
            # In this order: whatever a crash leaves of it ends in one space.
            await self._deps.groups.give_up_space(self._deps.chat_rooms.space_alias(owner))
            async with self._deps.store.transaction() as tx:
                await self._rows.drop(tx, owner)
            return await self._bring(owner, None, name, children, user)

    async def _bring(
        self, owner: str, record: SpaceRecord | None, name: str, children: set[MxRoomId], user: MxUserId
    ) -> tuple[MxRoomId, int]:
        changed = 0
        if record is None:
            alias = self._deps.chat_rooms.space_alias(owner)
            room_id = await self._deps.groups.create_space(MxNewSpace(alias=alias, name=name, invites=(user,)))
            record = SpaceRecord(room_id=room_id, name=name)
            await self._put(owner, record)
            await self._deps.chat_rooms.welcome_to_space(room_id, user)
            changed += 1
        space_id = MxRoomId(record.room_id)
        if record.name != name:
            await self._deps.groups.set_room_name(space_id, name)
            changed += 1
        if user not in record.invited:
            await self._deps.chats.invite(space_id, user)
            await self._deps.chat_rooms.welcome_to_space(space_id, user)
            changed += 1
        held = {MxRoomId(room) for room in record.children}
        for room_id in sorted(children ^ held):
            await self._deps.groups.set_child(space_id, room_id, is_child=room_id in children)
            changed += 1
        if changed:
            wanted = msgspec.structs.replace(
                record, name=name, children=frozenset(children), invited=record.invited | {user}
            )
            await self._put(owner, wanted)
        return space_id, changed

    async def _put(self, owner: str, record: SpaceRecord) -> None:
        async with self._deps.store.transaction() as tx:
            await self._rows.put(tx, owner, record)
