"""Opens chats from the Matrix side: finds the person, group or channel, and has a room for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mautrix_whatsapp_py.bridge.closings import Closings
from mautrix_whatsapp_py.bridge.persons import name_rank_of
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import CommandError, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import USER_SERVER, MxRoomId, PortalKey, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal, direct_chat
from mautrix_whatsapp_py.model.wa_directory import WaLookup
from mautrix_whatsapp_py.ports_chats import OpenDirectory, WhatsAppDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A chat with its room."""

    portal: Portal
    room_id: MxRoomId
    is_new: bool


class Openings:
    """Finds chats and opens them."""

    def __init__(self, talk: Talk, open_directory: OpenDirectory) -> None:
        self._talk = talk
        self._open_directory = open_directory

    def require_directory(self, login: Login) -> WhatsAppDirectory:
        """Where to ask on behalf of a login; WhatsAppUnavailable when it has no session."""
        directory = self._open_directory(login.id)
        if directory is None:
            raise WhatsAppUnavailable(code="not-connected")
        return directory

    async def find_people(self, login: Login, numbers: Sequence[str]) -> list[WaLookup]:
        """Who these numbers belong to, in their order; CommandError names those that are not on WhatsApp."""
        found = {item.number: item for item in await self.require_directory(login).find_numbers(numbers)}
        missing = [number for number in numbers if (one := found.get(number)) is None or not one.is_registered]
        if missing:
            listed = ", ".join(f"+{number}" for number in missing)
            verb = "is" if len(missing) == 1 else "are"
            raise CommandError(f"{listed} {verb} not on WhatsApp. Check the number and its country code.")
        return [found[number] for number in numbers]

    async def learn(self, lookup: WaLookup) -> Person:
        """The person of a number, with what the answer tells of them."""
        jid = lookup.jid or WaJid(user=lookup.number, server=USER_SERVER)
        person = await self._talk.persons.resolve(jid, lookup.lid)
        name, rank = name_rank_of(push_name="", business_name=lookup.business_name)
        return await self._talk.persons.learn_name(person, name, rank)

    async def open_direct(self, login: Login, person: Person) -> Opened:
        """The chat with somebody."""
        await self._talk.rooms.own_person(login)
        key = PortalKey(chat=direct_chat(person.id), receiver=login.id)
        return await self._open(await self._talk.portals.ensure(key), login)

    async def open_shared(self, login: Login, chat: WaJid, name: str) -> Opened:
        """A group or channel the login is in."""
        portal = await self._talk.portals.ensure(PortalKey(chat=chat.bare))
        if name and name != portal.name:
            portal = await self._talk.portals.put(replace(portal, name=name))
        return await self._open(portal, login)

    async def _open(self, portal: Portal, login: Login) -> Opened:
        is_new = portal.room_id is None
        room_id = await self._talk.rooms.ensure_room(portal, login)
        # Somebody who left is called back here, and only here: they asked for it.
        await self._talk.chats.invite(room_id, login.user)
        current = await self._talk.portals.get(portal.id) or portal
        return Opened(portal=current, room_id=room_id, is_new=is_new)

    async def plumb(self, chat: WaJid, name: str, room_id: MxRoomId, *, closings: Closings) -> Portal:
        """Tie a chat to a room that is there already; a room it had before is let go."""
        key = PortalKey(chat=chat.bare)
        portal = await self._talk.portals.ensure(key)
        if portal.room_id not in (None, room_id):
            await closings.unbridge(portal)
            portal = await self._talk.portals.ensure(key)
        return await self._talk.portals.set_room(replace(portal, name=name or portal.name), room_id)

    async def find_shared(self, chat: WaJid) -> Portal | None:
        """A group or channel that is bridged already."""
        return await self._talk.portals.find(PortalKey(chat=chat.bare))
