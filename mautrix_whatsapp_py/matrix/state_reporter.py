"""States of links for the program that watches over the bridge: `homeserver.status_endpoint`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from mautrix_whatsapp_py.ids import LoginId, MxUserId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff, end_all, spawn

log = logging.getLogger(__name__)

Json = dict[str, Any]
Link = tuple[MxUserId, LoginId]
"""An account and whose it is: both change when somebody else links it."""
WELL_TTL_SECONDS = 21600
UNWELL_TTL_SECONDS = 3600
_TRIES = 6
_TIMEOUT = ClientTimeout(total=30)


class SilentReporter:
    """The port StateReporter where nobody asked for states."""

    def publish_state(self, user: MxUserId, login: Login, state: WaState) -> None:
        """Nothing."""


class EndpointReporter:
    """The port StateReporter: posts every change once, per link only the newest."""

    def __init__(self, *, session: ClientSession, endpoint: str, token: str, clock: Clock) -> None:
        self._session = session
        self._endpoint = endpoint
        self._token = token
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[Link, Json] = {}
        self._posted: dict[Link, Json] = {}
        self._busy: set[Link] = set()
        self._is_stopped = False

    def publish_state(self, user: MxUserId, login: Login, state: WaState) -> None:
        """See StateReporter."""
        if self._is_stopped:
            return
        link = (user, login.id)
        self._waiting[link] = encode_state(user, login, state)
        if link not in self._busy:
            self._busy.add(link)
            spawn(self._post_all(link), name=f"state:{login_tag(login.id)}", tasks=self._tasks)

    async def stop(self) -> None:
        """Post nothing more."""
        self._is_stopped = True
        await end_all(self._tasks)

    async def _post_all(self, link: Link) -> None:
        try:
            while (report := self._waiting.pop(link, None)) is not None:
                if _without_time(report) != _without_time(self._posted.get(link, {})):
                    await self._post(link, report)
        finally:
            self._busy.discard(link)

    async def _post(self, link: Link, report: Json) -> None:
        backoff = Backoff(first_seconds=2.0, cap_seconds=64.0)
        for _ in range(_TRIES):
            if link in self._waiting:
                return
            if await self._is_taken(report):
                self._posted[link] = report
                return
            await self._clock.sleep(backoff.next_seconds())
        log.warning("the status endpoint did not take the state of login %s", login_tag(link[1]))

    async def _is_taken(self, report: Json) -> bool:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self._session.post(
                self._endpoint, json=report, headers=headers, timeout=_TIMEOUT
            ) as response:
                return response.status < 300
        except (ClientError, OSError, TimeoutError):
            return False


def encode_state(user: MxUserId, login: Login, state: WaState) -> Json:
    """A state in the form that watchers of bridges know."""
    is_well = state.kind is WaStateKind.CONNECTED
    report: Json = {
        "state_event": state.kind.value,
        "timestamp": int(state.since.timestamp()),
        "ttl": WELL_TTL_SECONDS if is_well else UNWELL_TTL_SECONDS,
        "source": "bridge",
        "user_id": user,
        "remote_id": login.id,
        "remote_name": login.number,
    }
    if state.error:
        report |= {"error": state.error, "message": state.message}
    if state.needs_login:
        report["user_action"] = "RELOGIN"
    return report


def _without_time(report: Json) -> Json:
    return {key: value for key, value in report.items() if key != "timestamp"}
