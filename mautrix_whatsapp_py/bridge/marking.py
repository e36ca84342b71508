"""How chats are put, pinned, archived or muted: the same on the phone and in clients, as far as can be."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from mautrix_whatsapp_py.bridge.client_marks import ClientMarks
from mautrix_whatsapp_py.bridge.mark_deps import MarkDeps
from mautrix_whatsapp_py.bridge.phone_marks import PhoneMarks
from mautrix_whatsapp_py.errors import BridgeError
from mautrix_whatsapp_py.ids import login_tag

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 4.0
"""Neither WhatsApp's library nor a homeserver tells anybody that something has changed."""
PAUSE_SECONDS = 60.0
"""For so long nothing is asked about somebody after that has failed."""


class Marking:
    """Looks at both sides in turn, so that what was done on one is known when the other is looked at."""

    def __init__(self, deps: MarkDeps) -> None:
        self._deps = deps
        self._phone = PhoneMarks(deps)
        self._clients = ClientMarks(deps)
        self._paused_until: dict[str, float] = {}

    async def watch(self) -> None:
        """Look again and again; runs for ever."""
        while True:
            await self._deps.talk.clock.sleep(LOOK_EVERY_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Look at every account, and every user, as whom the bridge can act."""
        talk = self._deps.talk
        logins = [login for login in talk.logins.get_all() if talk.doubles.can_act_as(login.user)]
        for login in logins:
            if talk.logins.state_of(login).is_usable and not self._is_paused(login.id):
                await self._try(f"login {login_tag(login.id)}", login.id, self._phone.look(login))
        for user in dict.fromkeys(login.user for login in logins):
            if not self._is_paused(user):
                await self._try(user, user, self._clients.look(user))

    def _is_paused(self, key: str) -> bool:
        return self._paused_until.get(key, 0.0) > self._deps.talk.clock.monotonic()

    async def _try(self, name: str, key: str, work: Awaitable[None]) -> None:
        try:
            await work
        except BridgeError as error:
            log.info("how %s has put chats is looked at later: %s", name, type(error).__name__)
            self._paused_until[key] = self._deps.talk.clock.monotonic() + PAUSE_SECONDS
        else:
            self._paused_until.pop(key, None)
