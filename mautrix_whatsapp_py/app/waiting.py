"""A start without a homeserver: it is waited for, and whoever looks is told so."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mautrix_whatsapp_py.app.homeserver import Homeserver
from mautrix_whatsapp_py.app.running import Service
from mautrix_whatsapp_py.config import Config, RunOptions
from mautrix_whatsapp_py.errors import MatrixError, MatrixUnreachable
from mautrix_whatsapp_py.ids import MxTxnId, MxUri, MxUserId
from mautrix_whatsapp_py.matrix.api import BotProfile, HttpMatrixApi
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.startup import Patient, StartupQuestions, require_homeserver, wait_for
from mautrix_whatsapp_py.ops.health import HOMESERVER, START
from mautrix_whatsapp_py.ports import Clock

log = logging.getLogger(__name__)


class _TakesNothing:
    """See Taker: what comes now is sent again later."""

    async def replay(self) -> int:
        return 0

    async def take(self, txn_id: MxTxnId, raw: bytes) -> None:
        raise MatrixUnreachable


class WaitingRoom:
    """Says that the bridge lives and what it waits for, from the first wait on."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._server: AppService | None = None

    async def on_wait(self) -> None:
        """The homeserver is not there; StartupError when the address to listen on cannot be had."""
        if self._server is not None:
            return
        appservice = self._config.appservice
        hooks = Hooks(is_ghost=_is_ghost, unready_parts=lambda: (START, HOMESERVER))
        server = AppService(_TakesNothing(), hooks, bot=self._config.bot_id, hs_token=appservice.hs_token)
        await server.start(appservice.hostname, appservice.port)
        self._server = server

    async def close(self) -> None:
        """Make place for the endpoint itself."""
        if self._server is not None:
            await self._server.stop()
            self._server = None


async def _is_ghost(_user: MxUserId) -> bool:
    return False


@asynccontextmanager
async def waiting_room(config: Config) -> AsyncIterator[WaitingRoom]:
    """Open, when it is needed, until the end of the block."""
    room = WaitingRoom(config)
    try:
        yield room
    finally:
        await room.close()


def startup_questions(config: Config, options: RunOptions) -> StartupQuestions:
    """What the checks name in their sentences."""
    return StartupQuestions(
        homeserver_address=config.homeserver.address,
        bridge_address=config.appservice.address,
        ignores_unsupported_server=options.ignore_unsupported_server,
    )


async def meet_homeserver(
    config: Config, homeserver: Homeserver, questions: StartupQuestions, clock: Clock
) -> Sequence[Service]:
    """Wait for a homeserver that takes us; what has to run so that its encrypted rooms can be read."""
    async with waiting_room(config) as room:
        patient = Patient(clock=clock, on_wait=room.on_wait)
        await require_homeserver(homeserver.hasty, questions, patient)
        await _set_profile(config, homeserver.hasty)
        if homeserver.crypto is None:
            return ()
        await wait_for(homeserver.crypto.start, questions, patient)
        return homeserver.crypto.services


async def _set_profile(config: Config, matrix: HttpMatrixApi) -> None:
    bot = config.appservice.bot
    avatar = MxUri(bot.avatar) if bot.avatar else None
    try:
        await matrix.ensure_profile(BotProfile(display_name=bot.displayname, avatar=avatar))
    except MatrixError as error:
        log.warning("the bot's name and picture cannot be set: %s %s", error.status, error.errcode)
