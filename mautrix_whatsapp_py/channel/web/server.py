"""The listener of the channel."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from mautrix_whatsapp_py.channel.fetching import Fetcher
from mautrix_whatsapp_py.channel.service import Channel
from mautrix_whatsapp_py.channel.web.answers import answer, answer_faults
from mautrix_whatsapp_py.channel.web.contract import Contract
from mautrix_whatsapp_py.channel.web.guard import LOOPBACK, make_guard
from mautrix_whatsapp_py.channel.web.media import MediaDesk
from mautrix_whatsapp_py.channel.web.openapi import OPERATIONS, make_document
from mautrix_whatsapp_py.channel.web.v1 import V1
from mautrix_whatsapp_py.listening import listen
from mautrix_whatsapp_py.ports import WaFileSource

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20
STOP_SECONDS = 5.0
BRIDGE = "/bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the channel listens, and to whom."""

    url: URL
    token: str
    roots: tuple[Path, ...] = ()
    version: str = ""


class ChannelServer:
    """Routes, and the listener they are served on."""

    def __init__(
        self, channel: Channel, source: WaFileSource, settings: ServerSettings, *, fetcher: Fetcher | None = None
    ) -> None:
        self._settings = settings
        base_url = str(settings.url.origin())
        desk = MediaDesk(
            channel,
            folder=channel.deps.folder,
            roots=settings.roots,
            fetcher=fetcher or Fetcher(),
            source=source,
            clock=channel.deps.clock,
        )
        self._v1 = V1(channel, desk, base_url=base_url)
        contract = Contract(channel, desk, base_url=base_url)
        guard = make_guard_of(settings.url, settings.token)
        self.app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[answer_faults, guard])
        self._add_routes(self._handlers(desk), contract)
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, which for a configured 0 is any."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen; StartupError when the address cannot be had."""
        self._runner = await listening(self.app, self._settings.url)

    async def stop(self) -> None:
        """Take no more requests, finish those under way."""
        self._v1.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _handlers(self, desk: MediaDesk) -> Mapping[str, Handler]:
        v1 = self._v1
        document = make_document(self._settings.version)

        async def openapi(_request: web.Request) -> web.Response:
            return answer(document)

        return {
            "get_accounts": v1.get_accounts,
            "get_account": v1.get_account,
            "logout": v1.logout,
            "get_chats": v1.get_chats,
            "get_contacts": v1.get_contacts,
            "send_message": v1.send_message,
            "send_reaction": v1.send_reaction,
            "send_poll": v1.send_poll,
            "mark_read": v1.mark_read,
            "send_typing": v1.send_typing,
            "get_events": v1.get_events,
            "stream_events": v1.stream_events,
            "socket_events": v1.socket_events,
            "ack": v1.ack,
            "get_strangers": v1.get_strangers,
            "approve": v1.approve,
            "deny": v1.deny,
            "get_webhooks": v1.get_webhooks,
            "retry_webhooks": v1.retry_webhooks,
            "upload": desk.upload,
            "download": desk.download,
            "openapi": openapi,
        }

    def _add_routes(self, handlers: Mapping[str, Handler], contract: Contract) -> None:
        router = self.app.router
        for path in {BRIDGE, _path_of(self._settings.url)}:
            router.add_post(path, contract.handle)
            router.add_post(path + "/{token}", contract.handle)
        for operation in OPERATIONS:
            if operation.path != BRIDGE:
                router.add_route(operation.method, operation.path, handlers[operation.name])


def make_guard_of(url: URL, token: str) -> Middleware:
    """Who may come in at an address."""
    return make_guard(token, hosts={*LOOPBACK, url.host or ""}, path=_path_of(url))


async def listening(app: web.Application, url: URL) -> web.AppRunner:
    """Listen at an address; StartupError when it cannot be had."""
    port = url.explicit_port if url.explicit_port is not None else 80
    runner = await listen(
        app, str(url.host), port, purpose="the channel", mend="channel.bridge_url", stop_seconds=STOP_SECONDS
    )
    log.info("the channel listens on %s", url.origin())
    return runner


def _path_of(url: URL) -> str:
    return url.path.rstrip("/") or BRIDGE
