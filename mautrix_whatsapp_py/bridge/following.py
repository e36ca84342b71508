"""Groups as a whole: their rooms follow them, whoever asks for it and whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import msgspec

from mautrix_whatsapp_py.bridge.contact_names import ContactNames
from mautrix_whatsapp_py.bridge.filling import Filling
from mautrix_whatsapp_py.bridge.fresh_links import FreshLinks
from mautrix_whatsapp_py.bridge.group_rooms import GroupRooms
from mautrix_whatsapp_py.bridge.joins import AT_ONCE as JOINS_AT_ONCE
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.pictures import Pictures
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.bridge.spaces import Spaces
from mautrix_whatsapp_py.bridge.timers import keep_timer
from mautrix_whatsapp_py.bridge.turns import Turns
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import BridgeError, MatrixRefused, WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxTxnId, PersonId, PortalKey, WaJid, login_tag
from mautrix_whatsapp_py.model.group import GroupFacts, GroupRecord
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx_room import MxRoomShape
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa import WaGroup
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import Clock, MatrixApi, WhatsAppNetwork
from mautrix_whatsapp_py.ports_chats import MatrixRooms, OpenDirectory, WhatsAppDirectory
from mautrix_whatsapp_py.ports_groups import JpegMaker, OpenGroups
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

FILL_EVERY_SECONDS = 2.0
FILL_COUNT = 10
"""Members of a large group join at this rate, so that whoever speaks meanwhile need not wait."""
NOTE_EVERY = 32
"""After so many joins it is noted who is there; a crash repeats no more than these."""
_NOT_IN_GROUP = frozenset({"not-a-member", "not-found", "forbidden"})
OWN_CHANGE = timedelta(minutes=1)
"""For so long after a change of ours, what WhatsApp says may be older than that change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowingDeps:
    """What they work with."""

    rooms: GroupRooms
    portals: Portals
    persons: Persons
    logins: Logins
    network: WhatsAppNetwork
    chat_rooms: Rooms
    pictures: Pictures
    spaces: Spaces
    contact_names: ContactNames
    matrix: MatrixApi
    matrix_rooms: MatrixRooms
    open_directory: OpenDirectory
    open_groups: OpenGroups
    turns: Turns
    clock: Clock
    jpegs: JpegMaker
    removes_users: bool = True
    """Whether those who are not in a group any more are taken out of its room."""
    leaves_with_users: bool = False
    """Whether an account leaves a group when its user leaves the room."""


class Following:
    """What others ask of groups."""

    def __init__(self, deps: FollowingDeps) -> None:
        self.deps = deps
        self._changed_at: dict[PortalId, datetime] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening: set[PortalId] = set()
        self._filling = Filling(rooms=deps.rooms, matrix=deps.matrix, clock=deps.clock)
        deps.chat_rooms.add_listener(self._on_room)
        deps.logins.add_listener(deps.contact_names.on_state)
        self._fresh_links = FreshLinks(bring_up=self._bring_all_up, store=deps.rooms.deps.store)
        deps.logins.add_listener(self._on_state)

    async def sync_group(self, login: Login, chat: WaJid) -> bool:
        """Bring a group's room up to date; whether anything was not. WhatsAppError when it cannot be asked."""
        portal = await self.deps.portals.find(PortalKey(chat=chat.bare))
        if portal is None or portal.room_id is None:
            return False
        return await self.deps.turns.take(portal.id, partial(self.bring_up, portal.id, login))

    async def open_group(self, login: Login, portal: Portal) -> None:
        """Make the room of a group, in the shape it is to have."""
        group = await self._require_directory(login).fetch_group(portal.key.chat)
        # Known by both addresses before it is seen among the members by one of them.
        await self.deps.chat_rooms.own_person(login)
        self._opening.add(portal.id)
        try:
            facts = await self.deps.rooms.learn(group, GroupFacts())
            parent = await self.deps.spaces.get_parent(facts.community, login)
            shape = MxRoomShape(
                topic=facts.topic, levels=await self.deps.rooms.describe_levels(facts), parent=parent
            )
            room_id = await self.deps.chat_rooms.ensure_room(portal, login, shape)
            await self.deps.turns.take(portal.id, partial(self.take, portal, room_id, group, login))
        finally:
            self._opening.discard(portal.id)

    async def bring_up(self, portal_id: PortalId, login: Login) -> bool:
        """The same in the turn of its chat."""
        portal = await self.deps.portals.get(portal_id)
        if portal is None or portal.room_id is None or not portal.key.chat.is_group:
            return False
        group = await self._require_directory(login).fetch_group(portal.key.chat)
        return await self.take(portal, portal.room_id, group, login)

    async def take(self, portal: Portal, room_id: MxRoomId, group: WaGroup, login: Login) -> bool:
        """Bring a room to what a login was told of its group."""
        await self.deps.chat_rooms.own_person(login)
        record = await self.deps.rooms.get(room_id)
        facts = await self.deps.rooms.learn(group, record.facts)
        has_changed = await self.deps.rooms.apply(portal, room_id, facts)
        if facts.community != record.facts.community:
            self.deps.spaces.want(login)
        current = await self.deps.portals.get(portal.id) or portal
        if current.disappearing_seconds != facts.disappearing_seconds:
            await keep_timer(current, facts.disappearing_seconds, self.deps.portals, self.deps.rooms.deps.chats)
        return await self.deps.pictures.sync_group(portal.key.chat, room_id, login) or has_changed

    async def change(self, portal: Portal, facts: GroupFacts, actor: Person | None) -> None:
        """WhatsApp told of a change."""
        if portal.room_id is not None:
            await self.deps.rooms.apply(portal, portal.room_id, facts, actor)

    def note_own_change(self, portal_id: PortalId) -> None:
        """We have changed a group: what is told of it now may be older."""
        self._changed_at[portal_id] = self.deps.clock.now()

    def was_just_changed(self, portal_id: PortalId) -> bool:
        """Whether what is told of a group may be older than a change of ours."""
        at = self._changed_at.get(portal_id)
        if at is None:
            return False
        is_recent = self.deps.clock.now() - at < OWN_CHANGE
        if not is_recent:
            del self._changed_at[portal_id]
        return is_recent

    async def let_go(self, portal: Portal, login: Login, sentence: str) -> None:
        """A login is not in a group any more: its user is told why and leaves; with the last one the ghosts go."""
        room_id = portal.room_id
        if room_id is None:
            return
        own = await self.deps.chat_rooms.own_person(login)
        record = await self.deps.rooms.get(room_id)
        roles = {person: role for person, role in record.facts.roles.items() if person != own.id}
        others = await self._others_in(roles, login)
        await self._say(room_id, sentence, f"gone-{login.id}-{record.facts.topic_id}-{len(record.facts.roles)}")
        await self.deps.chat_rooms.forget_invite(portal.id, login.user)
        self.deps.spaces.want(login)
        if self.deps.removes_users and not any(other.user == login.user for other in others):
            await self.deps.matrix_rooms.remove_from(room_id, login.user, reason=sentence)
        if others:
            facts = msgspec.structs.replace(record.facts, roles=roles)
            await self.deps.rooms.put(room_id, msgspec.structs.replace(record, facts=facts))
            return
        await self._empty(room_id, record)

    async def let_go_if_gone(self, portal: Portal, login: Login) -> bool:
        """Whether a login turns out to be in a group no more; its user is told, and leaves."""
        try:
            await self._require_directory(login).fetch_group(portal.key.chat)
        except WhatsAppRefused as error:
            if error.code not in _NOT_IN_GROUP or await self._is_of_another_account(portal, login):
                return False
            sentence = f"{login.number} is not in this group on WhatsApp any more."
            await self.deps.turns.take(portal.id, partial(self.let_go, portal, login, sentence))
            return True
        return False

    async def fill(self) -> None:
        """Let members of large groups join little by little; runs for ever."""
        while True:
            await self.deps.clock.sleep(FILL_EVERY_SECONDS)
            try:
                await self.fill_some()
            except BridgeError as error:
                log.info("members of large groups have to wait: %s", type(error).__name__)

    async def fill_some(self) -> int:
        """Let some members join; how many did."""
        for room_id in await self.deps.rooms.get_filling():
            if self.deps.portals.get_id(room_id) is None:
                await self.deps.rooms.drop(room_id)
                continue
            joined = await self.let_join(room_id, limit=FILL_COUNT)
            await self._filling.show(room_id)
            return joined
        return 0

    async def let_join(self, room_id: MxRoomId, *, limit: int) -> int:
        """Let some members of a group join, in its turn; how many did."""
        portal_id = self.deps.portals.get_id(room_id)
        if portal_id is None:
            return 0
        return await self.deps.turns.take(portal_id, partial(self.deps.rooms.let_join, room_id, limit=limit))

    async def fill_room(self, room_id: MxRoomId) -> AsyncIterator[int]:
        """Have all members of a group join, without holding up the chat; how many did, again and again."""
        rooms, portal_id = self.deps.rooms, self.deps.portals.get_id(room_id)
        if portal_id is None:
            return
        waiting = deque(await rooms.get_missing(room_id))
        under_way: set[asyncio.Task[frozenset[PersonId]]] = set()
        joined: set[PersonId] = set()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < JOINS_AT_ONCE:
                    under_way.add(asyncio.create_task(rooms.join_aside(room_id, [waiting.popleft()])))
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                joined |= frozenset().union(*(task.result() for task in done))
                if len(joined) >= NOTE_EVERY or not (waiting or under_way):
                    work = partial(rooms.note_joined, room_id, frozenset(joined))
                    await self.deps.turns.take(portal_id, work)
                    yield len(joined)
                    joined.clear()
        finally:
            await end_all(under_way)
        await self._filling.show(room_id)

    async def idle(self) -> None:
        """Wait until nothing is under way in the background."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop what is under way; the next event or `sync` takes it up again."""
        await self.deps.pictures.stop()
        await self.deps.spaces.stop()
        await self.deps.contact_names.stop()
        await end_all(self._tasks)

    def _require_directory(self, login: Login) -> WhatsAppDirectory:
        directory = self.deps.open_directory(login.id)
        if directory is None:
            raise WhatsAppUnavailable(code="not-connected")
        return directory

    def look_again(self, portal: Portal, login: Login) -> None:
        """Bring a group's room up to date when there is time; never waits."""
        spawn(self._shape(portal.id, login), name=f"shape a room:{login_tag(login.id)}", tasks=self._tasks)

    def _on_state(self, login: Login, state: WaState) -> None:
        if self._fresh_links.is_due(login, state):
            name = f"groups of a new link:{login_tag(login.id)}"
            spawn(self._fresh_links.catch_up(login), name=name, tasks=self._tasks)

    async def _bring_all_up(self, login: Login) -> None:
        for portal in await self.deps.portals.get_all():
            is_theirs = portal.key.chat.is_group and await self.deps.chat_rooms.has_invited(portal, login)
            if portal.room_id is None or not is_theirs:
                continue
            try:
                await self.sync_group(login, portal.key.chat)
            except WhatsAppRefused:
                await self.let_go_if_gone(portal, login)

    def _on_room(self, portal: Portal, login: Login) -> None:
        if portal.key.chat.is_group and portal.id not in self._opening:
            self.look_again(portal, login)

    async def _shape(self, portal_id: PortalId, login: Login) -> None:
        try:
            await self.deps.turns.take(portal_id, partial(self.bring_up, portal_id, login))
        except BridgeError as error:
            log.info("a group's room keeps its first shape for now: %s", type(error).__name__)

    async def _is_of_another_account(self, portal: Portal, login: Login) -> bool:
        """Whether a user has a group's room by another account than one that is not known to have been in it."""
        if portal.room_id is None:
            return False
        roles = (await self.deps.rooms.get(portal.room_id)).facts.roles
        own = await self.deps.chat_rooms.own_person(login)
        others = await self._others_in(roles, login)
        return own.id not in roles and any(other.user == login.user for other in others)

    async def _others_in(self, roles: Collection[PersonId], login: Login) -> list[Login]:
        """Other logins that are still in a group."""
        found = []
        for login_id in self.deps.network.get_logins():
            other = self.deps.logins.get(LoginId(login_id))
            if other is None or other.id == login.id:
                continue
            person = await self.deps.chat_rooms.own_person(other)
            if person.id in roles:
                found.append(other)
        return found

    async def _empty(self, room_id: MxRoomId, record: GroupRecord) -> None:
        """Nobody is here for whom the ghosts would speak; whoever comes back finds room and history."""
        for person_id in sorted(record.joined):
            person = await self.deps.persons.get(person_id)
            if person is not None:
                await self.deps.matrix.leave_room(room_id, user=person.ghost)
        facts = msgspec.structs.replace(record.facts, roles={})
        await self.deps.rooms.put(
            room_id, msgspec.structs.replace(record, facts=facts, joined=frozenset(), is_levelled=False)
        )

    async def _say(self, room_id: MxRoomId, sentence: str, key: str) -> None:
        bot = self.deps.matrix.bot
        try:
            await self.deps.matrix.send_notice(
                room_id, to_notice(sentence), sender=bot, txn_id=MxTxnId(f"group-{key}")
            )
        except MatrixRefused as error:
            log.info("a room could not be told what happened to its group: %s", error.errcode)
