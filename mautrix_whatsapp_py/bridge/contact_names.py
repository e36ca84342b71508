"""Names of somebody's contact book, shown where nobody but their owner is: as the names of direct chats."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.convert.group_words import clean_name
from mautrix_whatsapp_py.errors import BridgeError, MatrixRefused
from mautrix_whatsapp_py.ids import LoginId, WaJid, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_chats import OpenDirectory
from mautrix_whatsapp_py.ports_groups import MatrixGroups
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
"""Several rooms are often made one after the other: the contact book is read once."""
READ_AGAIN = timedelta(hours=1)
"""WhatsApp tells nobody of a changed contact; a link that comes up is a moment to look, but not every time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactNameDeps:
    """What they work with."""

    portals: Portals
    persons: Persons
    rooms: Rooms
    groups: MatrixGroups
    open_directory: OpenDirectory
    clock: Clock


class ContactNames:
    """Keeps the names of direct chats right; a name given by hand stays until the contact changes."""

    def __init__(self, deps: ContactNameDeps) -> None:
        self._deps = deps
        self._waiting: set[LoginId] = set()
        self._read_at: dict[LoginId, datetime] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        deps.rooms.add_listener(self._on_room)

    async def apply(self, login: Login) -> int:
        """Name an account's direct chats after its contact book; how many were not. May raise WhatsAppError."""
        directory = self._deps.open_directory(login.id)
        if directory is None:
            return 0
        self._read_at[login.id] = self._deps.clock.now()
        names: dict[WaJid, str] = {}
        for contact in await directory.fetch_contacts():
            name = clean_name(contact.full_name or contact.first_name)
            names |= {jid.bare: name for jid in (contact.jid, contact.lid) if jid is not None and name}
        own = await self._deps.rooms.own_person(login)
        chats = {
            portal.person_id: portal
            for portal in await self._deps.portals.get_all()
            if portal.key.receiver == login.id and portal.person_id not in (None, own.id)
        }
        changed = 0
        for person in (await self._deps.persons.get_some([one for one in chats if one is not None])).values():
            wanted = next((names[jid] for jid in person.jids if jid in names), "")
            changed += await self._name(chats[person.id], wanted)
        return changed

    def on_state(self, login: Login, state: WaState) -> None:
        """A link's state changed: the contact book may have, too."""
        at = self._read_at.get(login.id)
        if state.is_usable and (at is None or self._deps.clock.now() - at >= READ_AGAIN):
            self._want(login)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop what is under way."""
        await end_all(self._tasks)

    def _on_room(self, portal: Portal, login: Login) -> None:
        if portal.person_id is not None:
            self._want(login)

    def _want(self, login: Login) -> None:
        if login.id not in self._waiting:
            self._waiting.add(login.id)
            spawn(self._read(login), name=f"contact names:{login_tag(login.id)}", tasks=self._tasks)

    async def _read(self, login: Login) -> None:
        await self._deps.clock.sleep(SETTLE_SECONDS)
        self._waiting.discard(login.id)
        try:
            await self.apply(login)
        except BridgeError as error:
            log.info("the contact book of login %s was not read: %s", login_tag(login.id), type(error).__name__)

    async def _name(self, portal: Portal, wanted: str) -> bool:
        if wanted == portal.name or portal.room_id is None:
            return False
        try:
            await self._deps.groups.set_room_name(portal.room_id, wanted)
        except MatrixRefused as error:
            log.info("a direct chat could not be named: %s", error.errcode)
            return False
        current = await self._deps.portals.get(portal.id)
        if current is not None:
            await self._deps.portals.put(replace(current, name=wanted))
        return True
