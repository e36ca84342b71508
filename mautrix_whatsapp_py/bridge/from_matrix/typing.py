"""Typing on Matrix."""

from __future__ import annotations

import asyncio
import logging

from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, set_stage
from mautrix_whatsapp_py.bridge.resting import rest
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.ids import MxUserId, login_tag
from mautrix_whatsapp_py.model.mx import MxTyping
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

REFRESH_SECONDS = 8.0
MAX_REFRESHES = 15
"""Nobody types for longer without a pause; then it was its end that got lost."""


class Typists:
    """Repeats who types, because WhatsApp forgets it sooner than Matrix says it again."""

    def __init__(self) -> None:
        self._typing: dict[tuple[PortalId, MxUserId], asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, event: MxTyping, portal: Portal, talk: Talk) -> None:
        """Begin for those who are new, end for those who are gone."""
        for place, ended in list(self._typing.items()):
            if place[0] == portal.id and place[1] not in event.users:
                ended.set()
        for user in event.users:
            if (portal.id, user) in self._typing:
                continue
            login = await choose_login(user, portal, talk)
            stage = None if login is None else await set_stage(portal, login, talk)
            if stage is not None and (await talk.privacy.get(stage.login.id, portal.id)).typing:
                self._begin((portal.id, user), stage, talk)

    async def stop(self) -> None:
        """Refresh nothing more."""
        await end_all(self._tasks)

    def _begin(self, place: tuple[PortalId, MxUserId], stage: Stage, talk: Talk) -> None:
        ended = self._typing[place] = asyncio.Event()
        name = f"typing:{login_tag(stage.login.id)}"
        spawn(self._refresh(place, ended, stage, talk), name=name, tasks=self._tasks)

    async def _refresh(
        self, place: tuple[PortalId, MxUserId], ended: asyncio.Event, stage: Stage, talk: Talk
    ) -> None:
        client = talk.network.get_client(stage.login.id)
        try:
            for _ in range(MAX_REFRESHES):
                if client is None or not client.state.is_usable or ended.is_set():
                    break
                await client.send_typing(stage.chat, is_typing=True)
                await rest(talk.clock, REFRESH_SECONDS, ended)
            if client is not None and client.state.is_usable:
                await client.send_typing(stage.chat, is_typing=False)
        except WhatsAppError as error:
            log.debug("typing was not shown on WhatsApp: %s", error.code)
        finally:
            del self._typing[place]
