"""States of links for the program that watches over the bridge: `homeserver.status_endpoint`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff, spawn

log = logging.getLogger(__name__)

Json = dict[str, Any]
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
        self._waiting: dict[LoginId, Json] = {}
        self._posted: dict[LoginId, Json] = {}
        self._busy: set[LoginId] = set()

    def publish_state(self, user: MxUserId, login: Login, state: WaState) -> None:
        """See StateReporter."""
        self._waiting[login.id] = encode_state(user, login, state)
        if login.id not in self._busy:
            self._busy.add(login.id)
            spawn(self._post_all(login.id), name=f"state:{login.id}", tasks=self._tasks)

    async def stop(self) -> None:
        """Post nothing more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _post_all(self, login_id: LoginId) -> None:
        try:
            while (report := self._waiting.pop(login_id, None)) is not None:
                if _without_time(report) != _without_time(self._posted.get(login_id, {})):
                    await self._post(login_id, report)
        finally:
            self._busy.discard(login_id)

    async def _post(self, login_id: LoginId, report: Json) -> None:
        backoff = Backoff(first_seconds=2.0, cap_seconds=64.0)
        for _ in range(_TRIES):
            if login_id in self._waiting:
                return
            if await self._is_taken(report):
                self._posted[login_id] = report
                return
            await self._clock.sleep(backoff.next_seconds())
        log.warning("the status endpoint did not take the state of login %s", login_id)

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
