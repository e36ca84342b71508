"""Pictures of people and groups: fetched when somebody is seen, uploaded once per picture."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from mautrix_whatsapp_py.bridge.group_rooms import GroupRooms
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.errors import BridgeError, WhatsAppError, WhatsAppRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUri, PersonId, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.wa_group import WaPicture, WaPictureState
from mautrix_whatsapp_py.ports import Clock, MatrixApi
from mautrix_whatsapp_py.ports_groups import MatrixGroups, OpenGroups
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(days=1)
"""Changes are told by themselves; this finds pictures that were hidden, or changed while nobody listened."""
KNOWN_SIZE = 10_000
MAX_WAITING = 500
PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDeps:
    """What they work with."""

    matrix: MatrixApi
    groups: MatrixGroups
    persons: Persons
    rooms: GroupRooms
    open_groups: OpenGroups
    clock: Clock


class Pictures:
    """Looks at pictures one after the other, in the background."""

    def __init__(self, deps: PictureDeps) -> None:
        self._deps = deps
        self._seen_at: OrderedDict[PersonId, datetime] = OrderedDict()
        self._waiting: OrderedDict[PersonId, Login] = OrderedDict()
        self._is_working = False
        self._tasks: set[asyncio.Task[None]] = set()

    def want(self, person: Person, login: Login, *, is_changed: bool = False) -> None:
        """Look at somebody's picture when there is time, unless that was done not long ago; never waits."""
        at = self._seen_at.get(person.id)
        if not is_changed and at is not None and self._deps.clock.now() - at < LOOK_AGAIN:
            return
        if len(self._waiting) >= MAX_WAITING:
            return
        self._note(person.id)
        self._waiting[person.id] = login
        # A task that has ended is among the tasks for a moment more.
        if not self._is_working:
            self._is_working = True
            spawn(self._work(), name="pictures", tasks=self._tasks)

    async def sync_avatar(self, person: Person, login: Login) -> bool:
        """Give a ghost its person's picture; whether it had another one. WhatsAppError when it cannot be asked."""
        self._note(person.id)
        picture = await self._fetch(person.jid(is_lid_addressed=False), login, person.avatar_id)
        match picture.state:
            case WaPictureState.UNCHANGED | WaPictureState.HIDDEN:
                # What was seen before it was hidden stays: hiding is aimed at strangers, not at its being known.
                return False
            case WaPictureState.NONE:
                return await self._set(person, "", None)
            case WaPictureState.FOUND:
                if picture.picture_id == person.avatar_id:
                    return False
                return await self._set(person, picture.picture_id, await self._upload(picture))

    async def sync_group(self, chat: WaJid, room_id: MxRoomId, login: Login) -> bool:
        """Give a room its group's picture; whether it had another one. In the turn of its chat."""
        record = await self._deps.rooms.get(room_id)
        try:
            picture = await self._fetch(chat, login, record.picture_id)
        except WhatsAppError as error:
            log.info("a group's picture could not be looked at: %s", type(error).__name__)
            return False
        if picture.state in (WaPictureState.UNCHANGED, WaPictureState.HIDDEN):
            return False
        wanted = picture.picture_id if picture.state is WaPictureState.FOUND else ""
        if wanted == record.picture_id:
            return False
        uri = await self._upload(picture) if wanted else None
        await self._deps.groups.set_room_avatar(room_id, uri)
        await self._deps.rooms.put(room_id, msgspec.structs.replace(record, picture_id=wanted, avatar=uri or ""))
        return True

    async def idle(self) -> None:
        """Wait until all that is wanted was looked at."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Look at no more of them."""
        self._waiting.clear()
        await end_all(self._tasks)

    async def _work(self) -> None:
        try:
            while self._waiting:
                has_asked = await self._look(*self._waiting.popitem(last=False))
                if has_asked and self._waiting:
                    await self._deps.clock.sleep(PAUSE_SECONDS)
        finally:
            self._is_working = False

    async def _look(self, person_id: PersonId, login: Login) -> bool:
        """Whether WhatsApp was asked."""
        person = await self._deps.persons.get(person_id)
        if person is None or not person.shown_name:
            return False
        try:
            await self.sync_avatar(person, login)
        except BridgeError as error:
            log.info("a picture could not be looked at: %s", type(error).__name__)
            self._seen_at.pop(person_id, None)
        return True

    async def _fetch(self, jid: WaJid, login: Login, known_id: str) -> WaPicture:
        groups = self._deps.open_groups(login.id)
        if groups is None:
            return WaPicture(state=WaPictureState.HIDDEN)
        try:
            return await groups.fetch_picture(jid, known_id=known_id)
        except WhatsAppRefused:
            return WaPicture(state=WaPictureState.HIDDEN)

    async def _upload(self, picture: WaPicture) -> MxUri:
        return await self._deps.matrix.upload_media(
            picture.data, mimetype=picture.mimetype or "image/jpeg", filename="avatar"
        )

    async def _set(self, person: Person, avatar_id: str, uri: MxUri | None) -> bool:
        if (person.avatar_id, person.avatar_uri) == (avatar_id, uri):
            return False
        await self._deps.groups.set_ghost_avatar(person.ghost, uri)
        current = await self._deps.persons.get(person.id) or person
        await self._deps.persons.put(replace(current, avatar_id=avatar_id, avatar_uri=uri))
        return True

    def _note(self, person_id: PersonId) -> None:
        self._seen_at[person_id] = self._deps.clock.now()
        self._seen_at.move_to_end(person_id)
        while len(self._seen_at) > KNOWN_SIZE:
            self._seen_at.popitem(last=False)
