"""A homeserver that says what a test wants it to say."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp

BOT = MxUserId("@bot:localhost")
TOKEN = "the-token"


class ImpatientClock:
    """A clock on which every sleep is over at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> Any:
        raise NotImplementedError

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    content: Any
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to answer; no status drops the connection, `is_late` answers never."""

    status: int | None = 200
    content: Any = field(default_factory=dict)
    text: str | None = None
    data: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    is_late: bool = False


class ScriptedServer:
    """Answers as scripted per method and path; an empty object to all else."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.url = ""
        self._script: dict[tuple[str, str], deque[Answer]] = {}
        self._released = asyncio.Event()

    def script(self, method: str, path: str, *answers: Answer) -> None:
        """Answers to one path, the last of them for ever."""
        self._script[method, path] = deque(answers)

    def seen_at(self, path: str) -> list[Seen]:
        return [one for one in self.seen if one.path == path]

    def release(self) -> None:
        """Let go of the requests that get no answer."""
        self._released.set()

    async def handle(self, request: web.Request) -> web.Response:
        content: Any = None
        if request.can_read_body:
            is_json = request.content_type == "application/json"
            content = await request.json() if is_json else await request.read()
        token = request.headers.get("Authorization", "")
        path = request.rel_url.raw_path
        self.seen.append(
            Seen(method=request.method, path=path, query=dict(request.query), content=content, token=token)
        )
        script = self._script.get((request.method, path), deque([Answer()]))
        answer = script.popleft() if len(script) > 1 else script[0]
        if answer.is_late:
            await self._released.wait()
        if answer.status is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer.data is not None:
            return web.Response(status=answer.status, body=answer.data, headers=answer.headers)
        if answer.text is not None:
            return web.Response(status=answer.status, text=answer.text, headers=answer.headers)
        return web.json_response(answer.content, status=answer.status, headers=answer.headers)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", scripted.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    scripted.url = f"http://127.0.0.1:{port}"
    yield scripted
    scripted.release()
    await runner.cleanup()


@pytest.fixture
def clock() -> ImpatientClock:
    return ImpatientClock()


@pytest.fixture
async def http(server: ScriptedServer, clock: ImpatientClock) -> AsyncIterator[RetryingHttp]:
    async with ClientSession() as session:
        patience = Patience(retry_limit=3, attempt_seconds=5, total_seconds=60)
        yield RetryingHttp(server.url, TOKEN, session=session, clock=clock, patience=patience)


@pytest.fixture
def api(http: RetryingHttp) -> HttpMatrixApi:
    return HttpMatrixApi(http, bot=BOT, appservice_id="whatsapp")
