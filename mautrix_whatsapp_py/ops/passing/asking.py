"""Requests that come to a worker which stands by: they are passed on to the one that leads."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import StreamReader, hdrs, web

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ops.passing.exchange import Exchange, Wait
from mautrix_whatsapp_py.ops.passing.http_words import of_request, to_mapping
from mautrix_whatsapp_py.ops.passing.letters import (
    PART_BYTES,
    Ask,
    BodyPart,
    Content,
    Gone,
    Head,
    Over,
    Part,
    PostOffice,
    Taken,
    encode,
)
from mautrix_whatsapp_py.ops.passing.line import Line, LineBroken
from mautrix_whatsapp_py.ops.passing.sockets import is_socket, serve_client
from mautrix_whatsapp_py.tasks import spawn

log = logging.getLogger(__name__)

MOST_REQUESTS = 64
TAKE_SECONDS = 10.0
"""How long the leader has to take a request: it may be busy starting."""
ANSWER_SECONDS = 330.0
"""How long it has to begin its answer: some wait for a code or for news."""
BODY_SECONDS = 60.0
LOOK_SECONDS = 1.0
RETRY_AFTER = "5"
SWITCHING = 101
NOBODY = "No worker leads at the moment. Nothing was done. Try again in a few seconds."
NOT_TAKEN = "The worker that leads does not answer. Nothing was done. Try again in a few seconds."
LOST = "The worker that leads went away before it answered. See what came of it, and try again."
BUSY = "Too many requests wait for the worker that leads. Nothing was done. Try again in a few seconds."
LATE = "The worker that leads took too long. See what came of it, and try again."
TOO_LARGE = "The request is too large."
NO_SOCKETS = (
    "This worker passes no web sockets on. Follow the stream of events instead, or ask the worker that leads."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A listener of the leader's, and how it says no."""

    name: str
    max_body_bytes: int
    refuse: Callable[[int, str], web.Response]


class _Refused(Exception):
    """There is no answer of the leader."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _ClientGone(Exception):
    """Nobody waits for the answer."""


class _Body:
    """The body of a request, piece by piece."""

    def __init__(self, content: StreamReader, max_bytes: int) -> None:
        self._content = content
        self._left = max_bytes
        self.is_too_large = False

    async def next(self) -> tuple[bytes, bool]:
        """The next piece, and whether it is the last. Raises TimeoutError."""
        piece = bytearray()
        async with asyncio.timeout(BODY_SECONDS):
            while len(piece) < PART_BYTES and (chunk := await self._content.read(PART_BYTES - len(piece))):
                piece += chunk
        self._left -= len(piece)
        self.is_too_large = self._left < 0
        return bytes(piece), self._content.at_eof()


class Asking:
    """This worker's end."""

    def __init__(self, post: PostOffice, me: str, *, wait: Wait, now: Callable[[], float]) -> None:
        self._post = post
        self._me = me
        self._now = now
        self._exchange = Exchange(post, me, wait=wait, now=now)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Bring answers, for ever."""
        await self._exchange.run()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._exchange.break_all()

    def make_app(self, door: Door) -> web.Application:
        """What serves everything behind a door."""
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", partial(self._serve, door))
        return app

    async def _serve(self, door: Door, request: web.Request) -> web.StreamResponse:
        try:
            return await self._pass_on(door, request)
        except _Refused as refused:
            response = door.refuse(refused.status, refused.text)
            if refused.status in (503, 504):
                response.headers[hdrs.RETRY_AFTER] = RETRY_AFTER
            return response

    async def _pass_on(self, door: Door, request: web.Request) -> web.StreamResponse:
        if len(self._exchange.lines) >= MOST_REQUESTS:
            raise _Refused(503, BUSY)
        body = _Body(request.content, door.max_body_bytes)
        try:
            first, is_whole = await body.next()
        except TimeoutError:
            raise _Refused(408, "The body did not come.") from None
        if body.is_too_large or (request.content_length or 0) > door.max_body_bytes:
            raise _Refused(413, TOO_LARGE)
        ask = Ask(
            door=door.name,
            method=request.method,
            path=request.rel_url.raw_path_qs.encode("utf-8", "surrogateescape"),
            headers=of_request(request.raw_headers),
            body=first,
            is_whole=is_whole,
            is_socket=is_socket(request),
        )
        # Known before anybody is asked: the answer may be quicker than the news of who was.
        line = self._exchange.open(secrets.token_hex(8), "")
        last: Content | None = Gone()
        try:
            await self._ask(line, ask)
            if not is_whole:
                spawn(_pump(line, body), name="request-body", tasks=self._tasks)
            response = await self._answer(line, request)
            last = None
            return response
        except LineBroken:
            raise _Refused(*((413, TOO_LARGE) if body.is_too_large else (503, LOST))) from None
        except _ClientGone:
            return web.Response(status=499)
        finally:
            await self._exchange.close(line, last)

    async def _ask(self, line: Line, ask: Ask) -> None:
        """Have the leader take a request."""
        try:
            leader = await self._post.ask(line.name, encode(1, ask), sender=self._me)
        except StoreError:
            raise _Refused(503, LOST) from None
        if leader is None:
            raise _Refused(503, NOBODY)
        line.peer, line.sent = leader, 1
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                taken = await line.receive()
        except (TimeoutError, LineBroken):
            if not await self._is_withdrawn(line):
                raise _Refused(503, LOST) from None
            line.peer = ""
            raise _Refused(503, NOT_TAKEN) from None
        if not isinstance(taken, Taken):
            raise LineBroken

    async def _is_withdrawn(self, line: Line) -> bool:
        try:
            return await self._post.withdraw(line.peer, line.name)
        except StoreError:
            return False

    async def _answer(self, line: Line, request: web.Request) -> web.StreamResponse:
        head = await self._next(line, request, until=self._now() + ANSWER_SECONDS)
        if not isinstance(head, Head):
            raise LineBroken
        if head.is_whole:
            headers = to_mapping(head.headers, has_length=request.method == hdrs.METH_HEAD)
            return web.Response(status=head.status, headers=headers, body=head.body)
        if head.status == SWITCHING:
            response = await serve_client(line, request)
            await self._exchange.close(line, Gone())
            return response
        return await self._stream(line, request, head)

    async def _stream(self, line: Line, request: web.Request, head: Head) -> web.StreamResponse:
        response = web.StreamResponse(status=head.status, headers=to_mapping(head.headers, has_length=True))
        await response.prepare(request)
        try:
            await self._copy(line, request, response, head.body)
        except (LineBroken, ConnectionError, _ClientGone):
            # The answer has begun: that it is not whole is all that can be said.
            _hang_up(request)
            await self._exchange.close(line, Gone())
        return response

    async def _copy(self, line: Line, request: web.Request, response: web.StreamResponse, first: bytes) -> None:
        if first:
            await response.write(first)
        while True:
            content = await self._next(line, request)
            if isinstance(content, Part):
                await response.write(content.body)
                await line.confirm()
            elif isinstance(content, Over) and content.is_whole:
                await response.write_eof()
                return
            else:
                raise LineBroken

    async def _next(self, line: Line, request: web.Request, *, until: float | None = None) -> Content:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    return await line.receive()
            except TimeoutError:
                if request.transport is None or request.transport.is_closing():
                    raise _ClientGone from None
                if until is not None and self._now() > until:
                    raise _Refused(504, LATE) from None


async def _pump(line: Line, body: _Body) -> None:
    """Send the rest of a body."""
    try:
        is_last = False
        while not is_last:
            piece, is_last = await body.next()
            if body.is_too_large:
                line.break_off()
                return
            await line.send_part(BodyPart(body=piece, is_last=is_last))
    except LineBroken:
        return
    except (TimeoutError, ConnectionError, web.RequestPayloadError):
        line.break_off()


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
