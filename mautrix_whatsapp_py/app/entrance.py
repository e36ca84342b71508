"""The way in for what the homeserver sends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web

from mautrix_whatsapp_py.app.homeserver import Homeserver
from mautrix_whatsapp_py.app.links import Links, start_links
from mautrix_whatsapp_py.app.passing import Answers
from mautrix_whatsapp_py.app.running import Service
from mautrix_whatsapp_py.app.sharing import Share
from mautrix_whatsapp_py.bridge.bridge import Bridge
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks, Taker
from mautrix_whatsapp_py.matrix.catch_up import CatchUp, Gate
from mautrix_whatsapp_py.matrix.intake import Intake, see_nothing, take_no_keys
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.marks import Marks
from mautrix_whatsapp_py.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What takes events in, by a request of the homeserver or by asking for them."""

    intake: Taker
    catch_up: CatchUp
    server: AppService
    services: tuple[Service, ...]
    """What has to run besides."""
    answers: Answers | None = None
    """To what came to workers that do not lead."""

    async def open(self, config: Config) -> None:
        """Hand over what the last run left, then what was missed, then listen."""
        if left := await self.intake.replay():
            log.info("%d Matrix events of the last run are still to be handled", left)
        await self.catch_up.start()
        await self.server.start(config.appservice.hostname, config.appservice.port)


async def serve(entrance: Entrance, config: Config, links: Links, stack: AsyncExitStack) -> None:
    """Bring up links, then listen; the stack ends both."""
    stack.push_async_callback(entrance.server.stop)
    if entrance.answers is not None:
        await entrance.answers.open(stack)
    # Before the server stops: requests that wait for a code would keep it.
    stack.push_async_callback(links.attempts.stop)
    # Before the server: it hands over commands of the last run, which must find their logins.
    await start_links(links)
    await entrance.open(config)


def make_entrance(
    config: Config,
    *,
    bridge: Bridge,
    store: Store,
    inbox: Inbox,
    homeserver: Homeserver,
    health: Health,
    clock: Clock,
    mounts: Mapping[str, web.Application],
    share: Share | None = None,
) -> Entrance:
    """Everything from the homeserver's request to the bridge's queues."""

    async def is_ghost(_user: MxUserId) -> bool:
        return False

    inbox.begin_with(bridge.beginnings)
    gate = Gate(clock)
    crypto = homeserver.crypto
    intake = Intake(
        inbox,
        bridge,
        take_keys=take_no_keys if crypto is None or not config.encryption.appservice else crypto.take_keys,
        is_ours=bridge.is_ours,
        gate=gate,
        witness=see_nothing if crypto is None else crypto.note,
    )
    leading = None if share is None else share.make_intake(intake)
    taker: Taker = leading or intake
    server = AppService(
        taker,
        Hooks(
            is_ghost=is_ghost,
            unready_parts=health.unready_parts,
            count_ephemeral=lambda: intake.ephemeral_taken,
        ),
        bot=config.bot_id,
        hs_token=config.appservice.hs_token,
        max_body_bytes=config.appservice.max_body_size_mb * 1024 * 1024,
        mounts=mounts,
    )
    catch_up = CatchUp(
        homeserver.missed, Marks(store), gate=gate, deliver=(leading or intake).take_missed, clock=clock
    )
    if share is None or leading is None:
        return Entrance(intake=taker, catch_up=catch_up, server=server, services=())
    answers = share.make_answers(config)
    services = (*share.services(leading), *answers.services)
    return Entrance(intake=taker, catch_up=catch_up, server=server, services=services, answers=answers)
