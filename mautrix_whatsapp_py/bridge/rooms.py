"""Rooms of chats: made once, for whoever has the chat on WhatsApp."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from mautrix_whatsapp_py.bridge.doubles import Doubles, NoDoubles
from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.mx import MxNewRoom
from mautrix_whatsapp_py.model.mx_room import MxRoomShape
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.ports import MatrixChats
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store

log = logging.getLogger(__name__)

OnRoom = Callable[[Portal, Login], None]
DIRECT_TOPIC = "WhatsApp private chat"
GROUP_NAME = "WhatsApp group"
PLAIN = MxRoomShape()
SELF_NAME = "Note to yourself (WA)"
HANDED_OVER = "+{number} is linked by somebody else now."


class Rooms:
    """Makes rooms and invites people into them."""

    def __init__(
        self,
        *,
        store: Store,
        chats: MatrixChats,
        portals: Portals,
        persons: Persons,
        ghosts: Ghosts,
        names: GhostNames,
        removals: MatrixRooms,
        doubles: Doubles | None = None,
    ) -> None:
        self._store = store
        self._facts = KvRows()
        self._chats = chats
        self._portals = portals
        self._persons = persons
        self._ghosts = ghosts
        self._names = names
        self._removals = removals
        self._doubles = doubles or NoDoubles()
        self._invited: set[tuple[PortalId, MxUserId]] = set()
        self._listeners: list[OnRoom] = []
        self._making: dict[PortalId, asyncio.Future[Portal]] = {}

    def add_listener(self, listener: OnRoom) -> None:
        """Tell somebody of every room that was made, or came to a login; the listener must not wait or raise."""
        self._listeners.append(listener)

    async def ensure_room(
        self, portal: Portal, login: Login, shape: MxRoomShape = PLAIN, *, is_quiet: bool = False
    ) -> MxRoomId:
        """The room of a chat, with the login's user invited; a new one may come in a shape.

        Quietly, the user learns nothing of it yet.

        A crash between the making and the remembering makes no second room: the alias finds the first.
        """
        current = await self._portals.get(portal.id) or portal
        if current.room_id is None:
            current = await self._make_once(current, login, shape, is_quiet=is_quiet)
        assert current.room_id is not None
        if not is_quiet and await self._ensure_invited(current, current.room_id, login.user):
            for listener in self._listeners:
                listener(current, login)
        return current.room_id

    async def adopt(self, portal: Portal, room_id: MxRoomId, login: Login) -> Portal:
        """Make a room that a user has made the room of a chat that has none."""
        await self._chats.adopt_room(room_id, await self._describe(portal, login))
        adopted = await self._portals.set_room(portal, room_id)
        await self.ensure_room(adopted, login)
        return adopted

    async def _make_once(self, portal: Portal, login: Login, shape: MxRoomShape, *, is_quiet: bool) -> Portal:
        """Make a room; whoever asks for it meanwhile, a command or the chat itself, gets the same one."""
        making = self._making.get(portal.id)
        if making is None:
            making = self._making[portal.id] = asyncio.ensure_future(
                self._make(portal, login, shape, is_quiet=is_quiet)
            )
            making.add_done_callback(lambda _: self._making.pop(portal.id, None))
        return await asyncio.shield(making)

    async def _make(self, portal: Portal, login: Login, shape: MxRoomShape, *, is_quiet: bool) -> Portal:
        plain = await self._describe(portal, login)
        topic = shape.topic or plain.topic
        room = replace(plain, topic=topic, levels=shape.levels, parent=shape.parent, replaces=shape.replaces)
        if is_quiet:
            room = replace(room, invites=())
        room_id = await self._chats.create_room(room)
        made = await self._portals.put(replace(portal, room_id=room_id))
        await self._join_members(made, room_id)
        return made

    async def forget_invite(self, portal_id: PortalId, user: MxUserId) -> None:
        """Somebody is to be invited again when the chat comes back to them."""
        async with self._store.transaction() as tx:
            await self._facts.drop(tx, f"invited:{portal_id}:{user}")
        self._invited.discard((portal_id, user))

    async def has_invited(self, portal: Portal, login: Login) -> bool:
        """Whether a chat came to an account, whose user was then invited."""
        if portal.key.receiver is not None:
            return portal.key.receiver == login.id
        return await self.has_been_invited(portal, login.user)

    async def has_been_invited(self, portal: Portal, user: MxUserId) -> bool:
        """Whether somebody was called into a chat's room."""
        if (portal.id, user) in self._invited:
            return True
        async with self._store.reading() as tx:
            return await self._facts.get(tx, f"invited:{portal.id}:{user}") is not None

    def space_alias(self, owner: str) -> str:
        """What the space of an account or community is found by."""
        return self._names.alias(f"space {owner}", None)

    async def own_person(self, login: Login) -> Person:
        """The person that a login is."""
        return await self._persons.resolve(login.jid, login.lid)

    async def _describe(self, portal: Portal, login: Login) -> MxNewRoom:
        person = await self._partner(portal)
        if person is None:
            chat = str(portal.key.chat)
            return MxNewRoom(
                alias=self._names.alias(chat, portal.key.receiver),
                chat_id=chat,
                login=portal.key.receiver,
                name=portal.name or GROUP_NAME,
                invites=(login.user,),
            )
        own = await self.own_person(login)
        person = await self._ghosts.ensure(person)
        return MxNewRoom(
            alias=self._names.alias(person.ghost, portal.key.receiver),
            chat_id=str(person.jid(is_lid_addressed=portal.is_lid_addressed)),
            login=portal.key.receiver,
            name=SELF_NAME if person.id == own.id else "",
            topic=DIRECT_TOPIC,
            is_direct=True,
            invites=(login.user,),
            members=(person.ghost,),
            service_members=(own.ghost,),
        )

    async def _join_members(self, portal: Portal, room_id: MxRoomId) -> None:
        person = await self._partner(portal)
        if person is not None:
            # Who makes a room with members invites them by that.
            await self._chats.ensure_joined(room_id, person.ghost, is_invited=True)

    async def _partner(self, portal: Portal) -> Person | None:
        person_id = portal.person_id
        return None if person_id is None else await self._persons.get(person_id)

    async def welcome(self, portal: Portal, room_id: MxRoomId, user: MxUserId) -> None:
        """Have a user who lets us accept the invitation to a chat."""
        partner = await self._partner(portal)
        await self._doubles.welcome(user, room_id, None if partner is None else partner.ghost)

    async def welcome_to_space(self, room_id: MxRoomId, user: MxUserId) -> None:
        """Have a user who lets us accept the invitation to a space."""
        await self._doubles.welcome(user, room_id)

    async def _ensure_invited(self, portal: Portal, room_id: MxRoomId, user: MxUserId) -> bool:
        """Invite somebody once; whoever leaves is not called back. Whether it was done now."""
        mark = (portal.id, user)
        if mark in self._invited:
            return False
        key = f"invited:{portal.id}:{user}"
        async with self._store.reading() as tx:
            was_invited = await self._facts.get(tx, key) is not None
        if not was_invited:
            await self._part_with_former(portal, room_id)
            try:
                await self._chats.invite(room_id, user, is_direct=portal.person_id is not None)
            except MatrixRefused as error:
                log.info("a user could not be invited to a chat: %s %s", error.status, error.errcode)
            await self.welcome(portal, room_id, user)
            async with self._store.transaction() as tx:
                await self._facts.put(tx, key, "1")
        self._invited.add(mark)
        return not was_invited

    async def _part_with_former(self, portal: Portal, room_id: MxRoomId) -> None:
        """Whoever had an account before must not read on in its own chats."""
        if portal.key.receiver is None:
            return
        prefix = f"invited:{portal.id}:"
        async with self._store.reading() as tx:
            former = [key.removeprefix(prefix) for key, _ in await self._facts.get_prefixed(tx, prefix)]
        for user in map(MxUserId, former):
            await self._removals.remove_from(room_id, user, reason=HANDED_OVER.format(number=portal.key.receiver))
            await self.forget_invite(portal.id, user)


def chat_address(portal: Portal, partner: Person | None) -> WaJid:
    """How WhatsApp is told which chat is meant."""
    if partner is None:
        return portal.key.chat
    return partner.jid(is_lid_addressed=portal.is_lid_addressed)
