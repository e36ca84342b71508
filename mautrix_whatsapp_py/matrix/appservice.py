"""The HTTP side of the application service: what the homeserver and a supervisor ask of us."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from aiohttp import web

from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import MxTxnId, MxUserId
from mautrix_whatsapp_py.listening import listen
from mautrix_whatsapp_py.matrix.answers import answer_errors, matrix_error, token_check
from mautrix_whatsapp_py.matrix.fields import is_id
from mautrix_whatsapp_py.matrix.intake import OutOfTurn
from mautrix_whatsapp_py.matrix.transaction import BadBody

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Homeservers put a hundred events into a transaction; one that is refused for its size blocks all behind it."""
STOP_TIMEOUT_SECONDS = 10.0
NO_MOUNTS: Mapping[str, web.Application] = MappingProxyType({})
"""What else is served, by its path; each checks by itself who asks."""
_APP = "/_matrix/app/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the endpoint asks the rest of the program."""

    is_ghost: Callable[[MxUserId], Awaitable[bool]]
    unready_parts: Callable[[], Sequence[str]]
    count_ephemeral: Callable[[], int] | None = None
    """How many ephemeral events have come."""


class Taker(Protocol):
    """Who takes transactions; see Intake."""

    async def replay(self) -> int: ...

    async def take(self, txn_id: MxTxnId, raw: bytes) -> None: ...


class AppService:
    """The endpoint: routes, and the listener they are served on."""

    def __init__(
        self,
        intake: Taker,
        hooks: Hooks,
        *,
        bot: MxUserId,
        hs_token: str,
        max_body_bytes: int = MAX_BODY_BYTES,
        mounts: Mapping[str, web.Application] = NO_MOUNTS,
    ) -> None:
        self._intake = intake
        self._hooks = hooks
        self._bot = bot
        self.app = web.Application(
            client_max_size=max_body_bytes,
            middlewares=[answer_errors, token_check(hs_token, public_prefixes=("/_matrix/mau", *mounts))],
        )
        for path, mounted in mounts.items():
            self.app.add_subapp(path, mounted)
        for prefix in (_APP, ""):
            self.app.router.add_put(f"{prefix}/transactions/{{txn_id}}", self._on_transaction)
            self.app.router.add_get(f"{prefix}/users/{{user_id}}", self._on_user_query)
            self.app.router.add_get(f"{prefix}/rooms/{{alias}}", self._on_room_query)
        self.app.router.add_post(f"{_APP}/ping", self._on_ping)
        self.app.router.add_get(f"{_APP}/net.mautrix_whatsapp_py/heard", self._on_heard)
        self.app.router.add_get("/_matrix/mau/live", self._on_live)
        self.app.router.add_get("/_matrix/mau/ready", self._on_ready)
        self._runner: web.AppRunner | None = None
        self.was_reached = False
        """Whether the homeserver has sent anything."""

    @property
    def port(self) -> int:
        """The port that is listened on, which for a configured 0 is any."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def start(self, hostname: str, port: int) -> None:
        """Hand over what an earlier run left, then listen; StartupError when the address cannot be had."""
        await self._intake.replay()
        self._runner = await listen(
            self.app,
            hostname,
            port,
            purpose="the homeserver",
            mend="appservice.hostname and appservice.port, and appservice.address with them",
            stop_seconds=STOP_TIMEOUT_SECONDS,
        )

    async def stop(self) -> None:
        """Take no more requests, finish those under way."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _on_transaction(self, request: web.Request) -> web.Response:
        self.was_reached = True
        txn_id = request.match_info["txn_id"]
        if not is_id(txn_id):
            return matrix_error(400, "M_INVALID_PARAM", "The transaction id is empty, too long or no text.")
        try:
            await self._intake.take(MxTxnId(txn_id), await request.read())
        except BadBody as error:
            return matrix_error(400, error.errcode, str(error))
        except OutOfTurn:
            return matrix_error(503, "M_UNKNOWN", "A transaction before this one is missing. Send that one first.")
        except MatrixUnreachable:
            return matrix_error(503, "M_UNKNOWN", "What its keys need could not be asked. Send it again.")
        # What was stored is begun first: making the answer takes time in which a message could be on its way.
        await asyncio.sleep(0)
        return web.json_response({})

    async def _on_user_query(self, request: web.Request) -> web.Response:
        user = MxUserId(request.match_info["user_id"])
        if user == self._bot or await self._hooks.is_ghost(user):
            return web.json_response({})
        return matrix_error(404, "M_NOT_FOUND", "There is no such user.")

    async def _on_room_query(self, _request: web.Request) -> web.Response:
        return matrix_error(404, "M_NOT_FOUND", "The bridge has no room aliases.")

    async def _on_ping(self, _request: web.Request) -> web.Response:
        self.was_reached = True
        return web.json_response({})

    async def _on_heard(self, _request: web.Request) -> web.Response:
        count = self._hooks.count_ephemeral
        return web.json_response({} if count is None else {"ephemeral": count()})

    async def _on_live(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def _on_ready(self, _request: web.Request) -> web.Response:
        parts = list(self._hooks.unready_parts())
        return web.json_response({"ready": not parts, "waiting_for": parts}, status=500 if parts else 200)
