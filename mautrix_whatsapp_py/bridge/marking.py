"""How chats are put, pinned, archived or muted: the same on the phone and in clients, as far as can be."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from mautrix_whatsapp_py.bridge.client_marks import ClientMarks
from mautrix_whatsapp_py.bridge.mark_deps import MarkDeps
from mautrix_whatsapp_py.bridge.phone_marks import PhoneMarks
from mautrix_whatsapp_py.errors import BridgeError
from mautrix_whatsapp_py.ids import MxUserId, login_tag
from mautrix_whatsapp_py.tasks import each

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 4.0
"""Neither WhatsApp's library nor a homeserver tells anybody that something has changed."""
SECONDS_PER_USER = 0.25
"""Many users are looked at less often, so that their homeserver is asked no more than four times a second."""
AT_ONCE = 4
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
        count = 0
        while True:
            await self._deps.talk.clock.sleep(max(LOOK_EVERY_SECONDS, count * SECONDS_PER_USER))
            count = await self.look()

    async def look(self) -> int:
        """Look at every user as whom the bridge can act, and their accounts; how many there are."""
        talk = self._deps.talk
        users = list(dict.fromkeys(login.user for login in talk.logins.get_all()))
        users = [user for user in users if talk.doubles.can_act_as(user)]
        # Users may be on other homeservers, of which one that is away must not hold up the others.
        await each(users, self._look_at, at_once=AT_ONCE)
        return len(users)

    async def _look_at(self, user: MxUserId) -> None:
        logins = self._deps.talk.logins
        for login in logins.of_user(user):
            if logins.state_of(login).is_usable and not self._is_paused(login.id):
                await self._try(f"login {login_tag(login.id)}", login.id, self._phone.look(login))
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
