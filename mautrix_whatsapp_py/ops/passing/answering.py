"""Requests that came to workers which stand by, answered by the leader's own listeners."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    WSServerHandshakeError,
    hdrs,
)
from yarl import URL

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ops.passing.exchange import Exchange, Wait
from mautrix_whatsapp_py.ops.passing.http_words import end_to_end, to_mapping, to_text
from mautrix_whatsapp_py.ops.passing.letters import (
    PART_BYTES,
    Ask,
    BodyPart,
    Content,
    Head,
    Letter,
    Over,
    Part,
    PostOffice,
    Taken,
)
from mautrix_whatsapp_py.ops.passing.line import Line, LineBroken
from mautrix_whatsapp_py.ops.passing.sockets import HEARTBEAT_SECONDS, is_of_handshake, serve_leader
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
LAST_SECONDS = 3.0
"""How long requests under way have when another worker is to lead."""
SWITCHING = 101
_EMPTY = (204, 304)
_NOT_OURS = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE)
"""What the library would add."""


class Answering:
    """The leader's end."""

    def __init__(
        self,
        post: PostOffice,
        me: str,
        http: ClientSession,
        *,
        doors: Mapping[str, str],
        wait: Wait,
        now: Callable[[], float],
    ) -> None:
        """`doors` are the addresses of our listeners."""
        self._post = post
        self._me = me
        self._http = http
        self._doors = doors
        self._exchange = Exchange(post, me, leader=me, wait=wait, now=now, on_new=self._on_new)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer for ever."""
        try:
            await self._post.tidy(self._me)
        except StoreError as error:
            log.info("what earlier leaders left lies there for now: %s", type(error).__name__)
        await self._exchange.run()

    async def stop(self) -> None:
        """Finish what is under way; streams and what takes longer break off."""
        for line in tuple(self._exchange.lines.values()):
            if line.has_begun:
                line.break_off()
        await end_all(self._tasks, grace_seconds=LAST_SECONDS)

    def _on_new(self, letter: Letter, content: Content) -> None:
        if not isinstance(content, Ask):
            return
        line = self._exchange.open(letter.line, letter.sender)
        line.received = 1
        task = spawn(self._serve(line, content), name="passed-on", tasks=self._tasks)
        line.on_broken = lambda: _end(task)

    async def _serve(self, line: Line, ask: Ask) -> None:
        last: Content | None = Over(is_whole=False)
        try:
            await line.send(Taken())
            if ask.is_socket:
                await self._join(line, ask)
            else:
                await self._answer(line, ask)
            last = None
        except (LineBroken, ClientError, OSError, TimeoutError) as error:
            log.info("a request that was passed on broke off: %s", type(error).__name__)
        finally:
            await self._exchange.close(line, last)

    async def _answer(self, line: Line, ask: Ask) -> None:
        async with self._http.request(
            ask.method,
            self._url(ask),
            headers=to_mapping(ask.headers, has_length=not ask.is_whole),
            data=(ask.body or None) if ask.is_whole else _body(line, ask),
            allow_redirects=False,
            skip_auto_headers=_NOT_OURS,
        ) as answer:
            await _bring(line, answer)
            # What of the request was not read yet is not waited for.
            answer.close()

    async def _join(self, line: Line, ask: Ask) -> None:
        """Have a web socket of our own listener for that of a client."""
        headers = to_mapping(ask.headers, has_length=False)
        kept = {name: value for name, value in headers.items() if not is_of_handshake(name)}
        try:
            async with self._http.ws_connect(self._url(ask), headers=kept, heartbeat=HEARTBEAT_SECONDS) as socket:
                await line.send(Head(status=SWITCHING, headers=(), body=b"", is_whole=False))
                line.has_begun = True
                await serve_leader(line, socket)
        except WSServerHandshakeError as error:
            await line.send(Head(status=error.status, headers=(), body=b"", is_whole=True))
            return
        await line.send(Over(is_whole=True))

    def _url(self, ask: Ask) -> URL:
        door = self._doors.get(ask.door)
        if door is None or not ask.path.startswith(b"/"):
            raise LineBroken
        return URL(door + to_text(ask.path), encoded=True)


def _end(task: asyncio.Task[None]) -> None:
    # One that finds out by itself is to tidy up.
    if task is not asyncio.current_task():
        task.cancel()


async def _bring(line: Line, answer: ClientResponse) -> None:
    """Send an answer, in one letter when it is small."""
    headers, length = end_to_end(answer.raw_headers), answer.content_length
    is_empty = answer.method == hdrs.METH_HEAD or answer.status in _EMPTY
    if is_empty or (length is not None and length <= PART_BYTES):
        body = await answer.read()
        await line.send(Head(status=answer.status, headers=headers, body=body, is_whole=True))
        return
    await line.send(Head(status=answer.status, headers=headers, body=b"", is_whole=False))
    line.has_begun = True
    async for chunk in answer.content.iter_any():
        for start in range(0, len(chunk), PART_BYTES):
            await line.send_part(Part(body=chunk[start : start + PART_BYTES]))
    await line.send(Over(is_whole=True))


async def _body(line: Line, ask: Ask) -> AsyncIterator[bytes]:
    yield ask.body
    is_last = False
    while not is_last:
        content = await line.receive()
        if not isinstance(content, BodyPart):
            raise LineBroken
        is_last = content.is_last
        await line.confirm()
        if content.body:
            yield content.body


@asynccontextmanager
async def opened_session() -> AsyncIterator[ClientSession]:
    """The way to our own listeners: nothing is added, unpacked or remembered."""
    async with ClientSession(
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        connector=TCPConnector(limit=0, force_close=True),
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    ) as session:
        yield session
