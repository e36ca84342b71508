"""Brings rooms to what WhatsApp says of their groups, and asks for nothing that is so already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.bridge.joins import Joins
from mautrix_whatsapp_py.bridge.persons import Persons, is_person
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.convert.group_levels import LevelPolicy, to_levels
from mautrix_whatsapp_py.convert.group_words import clean_name, clean_topic
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId, PersonId
from mautrix_whatsapp_py.model.group import GroupFacts, GroupRecord, GroupRole
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupMember
from mautrix_whatsapp_py.ports import MatrixChats
from mautrix_whatsapp_py.ports_groups import MatrixGroups
from mautrix_whatsapp_py.store.group_records import GroupRecords
from mautrix_whatsapp_py.store.store import Store

GROUP_NAME = "WhatsApp group"
NOTHING = GroupFacts()
AT_ONCE = 30
"""So many members join before the room is done with; more of them join little by little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRoomDeps:
    """What shaping rooms takes."""

    store: Store
    chats: MatrixChats
    groups: MatrixGroups
    persons: Persons
    portals: Portals
    ghosts: Ghosts
    has_user: Callable[[Person], bool]
    """Whether somebody is on Matrix with an account of ours, and so needs no ghost."""
    user_of: Callable[[Person], MxUserId]
    levels: LevelPolicy = field(default_factory=LevelPolicy)


class GroupRooms:
    """The shape of rooms; called in the turn of their chat."""

    def __init__(self, deps: GroupRoomDeps) -> None:
        self.deps = deps
        self._rows = GroupRecords()
        self._joins = Joins(chats=deps.chats, ghosts=deps.ghosts)

    async def get(self, room_id: MxRoomId) -> GroupRecord:
        """What a room was last brought to."""
        async with self.deps.store.reading() as tx:
            return await self._rows.get(tx, room_id)

    async def put(self, room_id: MxRoomId, record: GroupRecord) -> GroupRecord:
        """Remember what a room was brought to, and whether members are still to join."""
        async with self.deps.store.transaction() as tx:
            await self._rows.put(tx, room_id, record)
        return record

    async def drop(self, room_id: MxRoomId) -> None:
        """Forget a room."""
        async with self.deps.store.transaction() as tx:
            await self._rows.drop(tx, room_id)

    async def learn(self, group: WaGroup, before: GroupFacts) -> GroupFacts:
        """What WhatsApp says of a group, its people made known; without members, it said nothing of them."""
        roles = {
            (await self._person(member)).id: _role(member) for member in group.members if is_person(member.jid)
        }
        return GroupFacts(
            name=clean_name(group.name),
            topic=clean_topic(group.topic),
            topic_id=group.topic_id,
            is_locked=group.is_locked,
            is_announcement=group.is_announcement,
            is_default_subgroup=group.is_default_subgroup,
            disappearing_seconds=group.disappearing_seconds,
            community=str(group.community) if group.community is not None else "",
            roles=roles or before.roles,
        )

    async def apply(
        self, portal: Portal, room_id: MxRoomId, facts: GroupFacts, actor: Person | None = None
    ) -> bool:
        """Bring a room to these facts; whether anything was not so already."""
        record = await self.get(room_id)
        before = record.facts
        has_changed = facts != before or not record.is_levelled
        if has_changed:
            await self._set_face(room_id, facts, before, actor)
            if not record.is_levelled or _levelled(facts) != _levelled(before):
                await self._set_levels(room_id, facts, before)
            joined = await self._remove_gone(room_id, facts, record, actor)
            record = msgspec.structs.replace(record, facts=facts, joined=joined, is_levelled=True)
            await self.put(room_id, record)
            await self._note(portal, facts)
        is_filling = room_id in await self.get_filling()
        has_joined = 0 if is_filling else await self.let_join(room_id, limit=AT_ONCE)
        return has_changed or has_joined > 0

    async def let_join(self, room_id: MxRoomId, *, limit: int) -> int:
        """Have ghosts of members join that are not there yet, admins first; how many did."""
        record = await self.get(room_id)
        missing = await self.get_missing(room_id)
        if not missing:
            return 0
        joined, problem = await self._joins.join_all(room_id, missing[:limit])
        if joined:
            await self.put(room_id, msgspec.structs.replace(record, joined=record.joined | joined))
        await self._set_filling(room_id, is_filling=len(missing) > len(joined))
        if problem is not None:
            raise problem
        return len(joined)

    async def get_missing(self, room_id: MxRoomId) -> list[Person]:
        """Members whose ghosts are not there yet, admins first."""
        record = await self.get(room_id)
        missing = [person for person in await self._persons(record.missing) if not self.deps.has_user(person)]
        return sorted(missing, key=lambda person: (-record.facts.roles[person.id], person.id))

    async def join_aside(self, room_id: MxRoomId, people: Sequence[Person]) -> frozenset[PersonId]:
        """Have ghosts join beside what happens in the chat; `note_joined` is to follow in its turn."""
        joined, problem = await self._joins.join_all(room_id, people)
        if problem is not None and not joined:
            raise problem
        return joined

    async def note_joined(self, room_id: MxRoomId, joined: frozenset[PersonId]) -> None:
        """Remember who has joined; whoever left the group meanwhile leaves the room as well."""
        record = await self.get(room_id)
        for person in await self._persons(joined - record.facts.roles.keys()):
            await self.deps.groups.remove_ghost(room_id, person.ghost)
        there = (record.joined | joined) & record.facts.roles.keys()
        record = await self.put(room_id, msgspec.structs.replace(record, joined=there))
        await self._set_filling(room_id, is_filling=bool(await self.get_missing(room_id)))

    async def get_filling(self) -> list[MxRoomId]:
        """Rooms whose members are still to join."""
        async with self.deps.store.reading() as tx:
            return list(await self._rows.get_filling(tx))

    async def count_missing(self, room_id: MxRoomId) -> int:
        """How many members are still to join."""
        return len(await self.get_missing(room_id))

    async def _set_filling(self, room_id: MxRoomId, *, is_filling: bool) -> None:
        async with self.deps.store.transaction() as tx:
            await self._rows.set_filling(tx, room_id, is_filling=is_filling)

    async def _set_face(
        self, room_id: MxRoomId, facts: GroupFacts, before: GroupFacts, actor: Person | None
    ) -> None:
        sender = actor.ghost if actor is not None and not self.deps.has_user(actor) else None
        if facts.name != before.name:
            await self.deps.groups.set_room_name(room_id, facts.name or GROUP_NAME, sender=sender)
        if facts.topic != before.topic:
            await self.deps.groups.set_room_topic(room_id, facts.topic, sender=sender)

    async def describe_levels(self, facts: GroupFacts, before: GroupFacts = NOTHING) -> MxLevelsChange:
        """The power levels a room is to have."""
        people = await self._persons(facts.admins | before.admins)
        users = {person.id: self.deps.user_of(person) for person in people}
        return to_levels(facts, before, users, self.deps.levels)

    async def _set_levels(self, room_id: MxRoomId, facts: GroupFacts, before: GroupFacts) -> None:
        await self.deps.groups.change_levels(room_id, await self.describe_levels(facts, before))

    async def _remove_gone(
        self, room_id: MxRoomId, facts: GroupFacts, record: GroupRecord, actor: Person | None
    ) -> frozenset[PersonId]:
        """Have ghosts leave that are no members any more; those who stay."""
        gone = record.joined - facts.roles.keys()
        for person in await self._persons(gone):
            await self.deps.groups.remove_ghost(room_id, person.ghost, sender=actor.ghost if actor else None)
        return record.joined - gone

    async def _note(self, portal: Portal, facts: GroupFacts) -> None:
        current = await self.deps.portals.get(portal.id) or portal
        wanted = replace(current, name=facts.name)
        if wanted != current:
            await self.deps.portals.put(wanted)

    async def _person(self, member: WaGroupMember) -> Person:
        alternates = [jid for jid in (member.phone_number, member.lid) if jid is not None and jid != member.jid]
        alternate = next((jid for jid in alternates if jid.server != member.jid.server), None)
        return await self.deps.persons.resolve(member.jid, alternate)

    async def _persons(self, ids: Iterable[PersonId]) -> list[Person]:
        found = [await self.deps.persons.get(person_id) for person_id in sorted(ids)]
        return [person for person in found if person is not None]


def _levelled(facts: GroupFacts) -> tuple[object, ...]:
    """What power levels depend on."""
    admins = {person: role for person, role in facts.roles.items() if role > GroupRole.MEMBER}
    return (admins, facts.is_locked, facts.is_announcement, facts.is_default_subgroup)


def _role(member: WaGroupMember) -> GroupRole:
    if member.is_super_admin:
        return GroupRole.OWNER
    return GroupRole.ADMIN if member.is_admin else GroupRole.MEMBER
