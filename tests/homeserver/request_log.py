"""A way to the homeserver that writes down what is asked of it, and can keep an answer back."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

NOTICE = "/send/m.room.message/"
"""What is said in rooms changes nothing about them."""
_HOP = frozenset({"transfer-encoding", "connection", "content-length", "keep-alive", "server", "date"})


class RequestLog:
    """Forwards requests and answers."""

    def __init__(self, target: str) -> None:
        self.requests: list[str] = []
        """Method, path and body of each."""
        self.reached = asyncio.Event()
        """Somebody waits for an answer that is kept back."""
        self._target = target
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self._released = asyncio.Event()
        self._left = 0
        self._is_done_first = True
        self.port = 0

    @property
    def url(self) -> str:
        """The address that goes through here."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> RequestLog:
        """Listen."""
        self._http = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=100_000_000)
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def stop(self) -> None:
        """Listen no more."""
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    def hold(self, count: int, *, is_done_first: bool) -> None:
        """Keep back the answer to the so-manieth change from now on; it may be carried out before."""
        self._left, self._is_done_first = count, is_done_first
        self.reached.clear()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Hold nothing back from now on; whoever waits is sent away."""
        self._left = 0
        self._released.set()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._http is not None
        body = await request.read()
        line = f"{request.method} {request.path} {body[:2000].decode(errors='replace')}"
        is_held = self._counts_down(line)
        if is_held and not self._is_done_first:
            await self._keep_back()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with self._http.request(
            request.method, self._target + request.path_qs, data=body, headers=headers
        ) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            status = answer.status
        self.requests.append(line)
        if is_held:
            await self._keep_back()
        return web.Response(status=status, body=content, headers=kept)

    def _counts_down(self, line: str) -> bool:
        if self._left <= 0 or line.startswith("GET ") or NOTICE in line:
            return False
        self._left -= 1
        return self._left == 0

    async def _keep_back(self) -> None:
        """Whoever asked is gone before there is an answer."""
        self.reached.set()
        await self._released.wait()
        raise web.HTTPBadGateway
