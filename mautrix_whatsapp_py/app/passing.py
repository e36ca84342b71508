"""Composition of requests that one worker takes and another, the leader, answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from yarl import URL

from mautrix_whatsapp_py.app.running import Service
from mautrix_whatsapp_py.bridge.login_links import PATH
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.channel import ChannelAccount, ChannelSection
from mautrix_whatsapp_py.ops.leadership import LEAD
from mautrix_whatsapp_py.ops.passing.answering import Answering, opened_session
from mautrix_whatsapp_py.ops.passing.asking import Asking, Door
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.provisioning.answers import CORS, MAX_BODY_BYTES, ApiError, refusal
from mautrix_whatsapp_py.provisioning.page import HEADERS
from mautrix_whatsapp_py.provisioning.page_html import closed_page
from mautrix_whatsapp_py.store import http_post
from mautrix_whatsapp_py.store.http_post import HttpPost, leader_name
from mautrix_whatsapp_py.store.leases import Lease
from mautrix_whatsapp_py.store.notify import Listener
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import PostgresAddress

CONNECTIONS = 2
BRIDGE = "bridge"
CHANNEL = "channel"
MEGABYTE = 1 << 20
_LOCAL: Mapping[str, str] = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what is listened on


@dataclass(frozen=True, slots=True, kw_only=True)
class PassingOn:
    """What a worker that stands by serves beside transactions."""

    mounts: Mapping[str, web.Application]
    """By its path."""
    close: Callable[[], None]
    """Lets nobody wait any longer; before the listener stops."""


@asynccontextmanager
async def passing_on(
    config: Config, address: PostgresAddress, holder: str, clock: Clock
) -> AsyncIterator[PassingOn]:
    """Requests are passed on to the leader; those to the channel's own listener as well."""
    news = Listener(address, application=holder, clock=clock, channel=http_post.CHANNEL, recipient=holder)
    async with _opened_post(address, holder) as post:
        asking = Asking(post, holder, wait=news.wait, now=time.monotonic)
        async with _running(news.listen, asking.run), AsyncExitStack() as stack:
            if config.channel.enabled:
                await stack.enter_async_context(_opened_channel(config, asking))
            yield PassingOn(mounts=_make_mounts(config, asking), close=asking.close)


class Answers:
    """What the leader does for requests that others took; begins when its own listeners are there."""

    def __init__(self, config: Config, address: PostgresAddress, lease: Lease, clock: Clock) -> None:
        self._config = config
        self._address = address
        self._holder = lease.holder
        self._me = leader_name(lease)
        self._news = Listener(
            address, application=self._holder, clock=clock, channel=http_post.CHANNEL, recipient=self._me
        )
        self._answering: Answering | None = None

    async def open(self, stack: AsyncExitStack) -> None:
        """Be able to answer; at its end, what is under way is finished."""
        post = await stack.enter_async_context(_opened_post(self._address, self._holder))
        http = await stack.enter_async_context(opened_session())
        doors = _doors(self._config)
        self._answering = Answering(post, self._me, http, doors=doors, wait=self._news.wait, now=time.monotonic)
        stack.push_async_callback(self._answering.stop)

    @property
    def services(self) -> tuple[Service, ...]:
        """What has to run for as long as this worker leads."""
        return self._news.listen, self._run

    async def _run(self) -> None:
        assert self._answering is not None
        await self._answering.run()


def _doors(config: Config) -> Mapping[str, str]:
    host = _LOCAL.get(config.appservice.hostname, config.appservice.hostname)
    doors = {BRIDGE: URL.build(scheme="http", host=host, port=config.appservice.port)}
    if config.channel.enabled:
        url = _sound(config).bridge_url
        doors[CHANNEL] = URL(url).origin()
    return {name: str(url).rstrip("/") for name, url in doors.items()}


def _make_mounts(config: Config, asking: Asking) -> Mapping[str, web.Application]:
    mounts: dict[str, web.Application] = {}
    if config.provisioning.is_enabled:
        door = Door(name=BRIDGE, max_body_bytes=MAX_BODY_BYTES, refuse=_refuse_program)
        mounts[config.provisioning.prefix] = asking.make_app(door)
    if config.provisioning.login_page:
        door = Door(name=BRIDGE, max_body_bytes=MAX_BODY_BYTES, refuse=_refuse_browser)
        mounts[PATH] = asking.make_app(door)
    return mounts


def _refuse_program(status: int, text: str) -> web.Response:
    response = refusal(ApiError(status, "M_TOO_LARGE" if status == 413 else "M_UNKNOWN", text))
    response.headers.update(CORS)
    return response


def _refuse_browser(status: int, text: str) -> web.Response:
    return web.Response(text=closed_page(text), status=status, content_type="text/html", headers=HEADERS)


@asynccontextmanager
async def _opened_channel(config: Config, asking: Asking) -> AsyncIterator[None]:
    """The channel's listener; strangers are refused here already."""
    # Here and not above: few bridges have a channel.
    from mautrix_whatsapp_py.channel.web.answers import answer_faults, refuse
    from mautrix_whatsapp_py.channel.web.server import MAX_BODY_BYTES as MAX_JSON_BYTES
    from mautrix_whatsapp_py.channel.web.server import listening, make_guard_of

    section = _sound(config)
    accounts: tuple[ChannelAccount, ...] = tuple(section.accounts.values()) or (section,)
    largest = max(max(one.media_max_mb, one.outbound_media_max_mb) for one in accounts) * MEGABYTE
    door = Door(name=CHANNEL, max_body_bytes=max(largest, MAX_JSON_BYTES), refuse=refuse)
    app = asking.make_app(door)
    url = URL(section.bridge_url)
    app.middlewares.extend((answer_faults, make_guard_of(url, section.token or "")))
    runner = await listening(app, url)
    try:
        yield
    finally:
        asking.close()
        await runner.cleanup()


def _sound(config: Config) -> ChannelSection:
    from mautrix_whatsapp_py.app.channel import require_sound

    return require_sound(config.channel)


@asynccontextmanager
async def _opened_post(address: PostgresAddress, holder: str) -> AsyncIterator[HttpPost]:
    store = Store(address, connections=CONNECTIONS, application=holder, is_autocommit=True)
    try:
        yield HttpPost(store, lease=LEAD)
    finally:
        await store.close()


@asynccontextmanager
async def _running(*services: Service) -> AsyncIterator[None]:
    """Services that run for as long as the block does; one that fails ends it."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(service()) for service in services]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
