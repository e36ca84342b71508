"""Who is online, on both sides, in chats where the user wants it."""

from __future__ import annotations

import asyncio
import logging

from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.from_matrix.context import set_stage
from mautrix_whatsapp_py.bridge.resting import rest
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import MatrixError, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxUserId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaPresence
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

ONLINE_SECONDS = 60.0
"""For how long somebody counts as online after they did something."""
REFRESH_SECONDS = 20.0
"""Homeservers forget sooner that somebody is online who has no client."""
MAX_REFRESHES = 90
"""Nobody stays online for half an hour without WhatsApp saying so again."""


class Presences:
    """Shows accounts online while their users do something, and ghosts as WhatsApp says."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._until: dict[LoginId, float] = {}
        self._ghosts: dict[MxUserId, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def note(self, user: MxUserId, portal: Portal) -> None:
        """A user did something in a chat; raises StoreError."""
        login = await choose_login(user, portal, self._talk)
        if login is None or not (await self._talk.privacy.get(login.id, portal.id)).presence:
            return
        is_new = login.id not in self._until
        self._until[login.id] = self._talk.clock.monotonic() + ONLINE_SECONDS
        if is_new:
            spawn(self._stay(login), name=f"online:{login_tag(login.id)}", tasks=self._tasks)
        if portal.person_id is not None:
            spawn(self._ask(login, portal), name=f"presence:{login_tag(login.id)}", tasks=self._tasks)

    async def show(self, event: WaPresence) -> None:
        """WhatsApp says that somebody came or left; it does so only where we asked."""
        person = await self._talk.persons.find(event.person)
        if person is None:
            return
        if (ended := self._ghosts.pop(person.ghost, None)) is not None:
            ended.set()
        if event.is_available:
            ended = self._ghosts[person.ghost] = asyncio.Event()
            spawn(self._refresh(person.ghost, ended), name="online ghost", tasks=self._tasks)
        else:
            await self._put(person.ghost, is_online=False)

    async def stop(self) -> None:
        """Show nothing more."""
        await end_all(self._tasks)

    async def _stay(self, login: Login) -> None:
        try:
            if not await self._send(login, is_available=True):
                # Whatever they do next tries again.
                return
            while (left := self._until[login.id] - self._talk.clock.monotonic()) > 0:
                await self._talk.clock.sleep(left)
        finally:
            del self._until[login.id]
        await self._send(login, is_available=False)

    async def _send(self, login: Login, *, is_available: bool) -> bool:
        client = self._talk.network.get_client(login.id)
        if client is None or not client.state.is_usable:
            return False
        try:
            await client.send_presence(is_available=is_available)
        except WhatsAppError as error:
            # A fresh link, for one, has to learn its own name first.
            log.debug("presence was not shown on WhatsApp: %s", error.code)
            return False
        return True

    async def _ask(self, login: Login, portal: Portal) -> None:
        client = self._talk.network.get_client(login.id)
        stage = await set_stage(portal, login, self._talk)
        if stage is None or client is None or not client.state.is_usable:
            return
        try:
            await client.subscribe_presence(stage.chat)
        except WhatsAppError as error:
            log.debug("presence could not be asked for: %s", error.code)

    async def _refresh(self, ghost: MxUserId, ended: asyncio.Event) -> None:
        for _ in range(MAX_REFRESHES):
            await self._put(ghost, is_online=True)
            await rest(self._talk.clock, REFRESH_SECONDS, ended)
            if ended.is_set():
                return
        self._ghosts.pop(ghost, None)

    async def _put(self, ghost: MxUserId, *, is_online: bool) -> None:
        try:
            await self._talk.chats.set_presence(ghost, is_online=is_online)
        except MatrixError as error:
            log.debug("presence was not shown: %s %s", error.status, error.errcode)
