"""A program that is told how far messages have come: `homeserver.message_send_checkpoint_endpoint`."""

from __future__ import annotations

import asyncio
from types import TracebackType

from aiohttp import web
from aiohttp.test_utils import TestServer

WAIT_SECONDS = 30


class Watcher:
    """Keeps the checkpoints it is sent."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/checkpoints", self._take)
        self._server = TestServer(app, host="127.0.0.1")
        self._steps: dict[str, list[tuple[str, str]]] = {}
        self._told = asyncio.Event()

    @property
    def url(self) -> str:
        """Where they are sent."""
        return str(self._server.make_url("/checkpoints"))

    async def __aenter__(self) -> Watcher:
        await self._server.start_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.close()

    async def steps_of(self, event_id: str, expected: list[tuple[str, str]]) -> None:
        """Wait for the steps of an event; no others were told before."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self._steps.get(event_id, [])) < len(expected):
                self._told.clear()
                await self._told.wait()
        assert self._steps[event_id] == expected

    async def _take(self, request: web.Request) -> web.Response:
        for one in (await request.json())["checkpoints"]:
            self._steps.setdefault(one["event_id"], []).append((one["step"], one["status"]))
        self._told.set()
        return web.json_response({})
