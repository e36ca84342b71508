"""Requests that a worker which stands by passes on to the one that leads."""

from __future__ import annotations

import asyncio
import gzip
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import ClientError, ClientSession, DummyCookieJar, WSMsgType, WSServerHandshakeError, web
from aiohttp.test_utils import TestServer
from yarl import URL

from mautrix_whatsapp_py.ops.passing import asking as asking_module
from mautrix_whatsapp_py.ops.passing.answering import Answering, opened_session
from mautrix_whatsapp_py.ops.passing.asking import LOST, NOBODY, NOT_TAKEN, TOO_LARGE, Asking, Door
from mautrix_whatsapp_py.ops.passing.exchange import SILENCE_SECONDS
from mautrix_whatsapp_py.ops.passing.letters import PART_BYTES
from mautrix_whatsapp_py.ops.passing.line import WINDOW_PARTS
from tests.fakes.clock import FakeClock
from tests.fakes.http_post import FakeHttpPost

LEADER, NEXT_LEADER, STANDBY = "w0 1", "w2 2", "w1"
MOST_BYTES = 3 * 1024 * 1024
SECRET = "a-token-of-somebody"


class Leading:
    """What the leader serves, and what it saw of it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.may_end = asyncio.Event()
        self.events: asyncio.Queue[bytes] = asyncio.Queue()
        self.received = b""
        self.app = web.Application(client_max_size=10 * MOST_BYTES)
        router = self.app.router
        router.add_route("*", "/echo/{rest:.*}", self.echo)
        router.add_get("/moved", self.moved)
        router.add_get("/packed", self.packed)
        router.add_get("/nothing", self.nothing)
        router.add_get("/large", self.large)
        router.add_get("/stream", self.stream)
        router.add_get("/socket", self.socket)
        router.add_post("/slow", self.slow)
        router.add_post("/picky", self.picky)

    async def echo(self, request: web.Request) -> web.Response:
        self.received = await request.read()
        headers = {name: request.headers.get(name, "") for name in ("Authorization", "Host", "Cookie", "Accept")}
        return web.json_response(
            {"method": request.method, "path": request.raw_path, "size": len(self.received), **headers}
        )

    async def moved(self, _request: web.Request) -> web.Response:
        response = web.Response(status=303, headers={"Location": "/echo/x"})
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response

    async def packed(self, _request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"packed"), headers={"Content-Encoding": "gzip"})

    async def nothing(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(MOST_BYTES)})
        await response.prepare(request)
        await response.write(bytes(range(256)) * (MOST_BYTES // 256))
        return response

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.begun.set()
        try:
            while event := await self.events.get():
                await response.write(event)
        finally:
            self.ended.set()
        return response

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(request.headers["Authorization"])
        try:
            async for message in socket:
                await socket.send_str(f"heard {message.data}")
        finally:
            self.ended.set()
        return socket

    async def slow(self, request: web.Request) -> web.Response:
        await request.read()
        self.begun.set()
        await self.may_end.wait()
        return web.Response(text="done")

    async def picky(self, _request: web.Request) -> web.Response:
        return web.Response(status=401, text="who are you?")


class Stage:
    """A leader and a worker that stands by."""

    def __init__(self) -> None:
        self.post = FakeHttpPost()
        self.clock = FakeClock()
        self.leading = Leading()
        self.url = ""
        self.http: ClientSession
        self.answering: Answering
        self.reading: asyncio.Task[None]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)

    async def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        async with self.http.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.read()

    async def refused(self, asking: Awaitable[tuple[int, bytes]] | None = None) -> tuple[int, str]:
        status, body = await (asking or self.get("/echo/x"))
        return status, body.decode()


def refuse(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)


@asynccontextmanager
async def running(service: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(service())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    post, now = stage.post, stage.clock.monotonic
    async with AsyncExitStack() as stack:
        leader = await stack.enter_async_context(TestServer(stage.leading.app))
        http = await stack.enter_async_context(opened_session())
        doors = {"bridge": str(leader.make_url("")).rstrip("/")}
        stage.answering = Answering(post, LEADER, http, doors=doors, wait=lambda _: post.wait(LEADER), now=now)
        asking = Asking(post, STANDBY, wait=lambda _: post.wait(STANDBY), now=now)
        door = Door(name="bridge", max_body_bytes=MOST_BYTES, refuse=refuse)
        standby = await stack.enter_async_context(TestServer(asking.make_app(door)))
        stage.url = str(standby.make_url("")).rstrip("/")
        stage.http = await stack.enter_async_context(
            ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False)
        )
        post.leader = LEADER
        stage.reading = await stack.enter_async_context(running(stage.answering.run))
        await stack.enter_async_context(running(asking.run))
        yield stage
        stage.leading.events.put_nowait(b"")
        asking.close()
        stage.leading.may_end.set()
        await stage.answering.stop()
        is_over = stage.reading.done() or post.is_away or post.leader != LEADER
        await stage.until(lambda: post.is_empty or is_over)


async def test_requests_and_answers_pass_as_they_are(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = "/echo/%2B49%20171?user_id=%40alice%3Ahs&x=a+b"
    headers = {"Authorization": f"Bearer {SECRET}", "Host": "bridge.example.com", "Cookie": "a=b"}
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        body = b"body" if method in ("POST", "PUT") else None
        url = URL(stage.url + path, encoded=True)
        async with stage.http.request(method, url, data=body, headers=headers) as answer:
            assert answer.status == 200
            seen = await answer.json()
        assert seen == {
            "method": method, "path": path, "size": len(body or b""), "Accept": "*/*", **headers
        }  # fmt: skip
    async with stage.http.get(f"{stage.url}/moved", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/echo/x")
        assert len(answer.headers.getall("Set-Cookie")) == 2
    assert gzip.decompress((await stage.get("/packed"))[1]) == b"packed"
    assert await stage.get("/nothing") == (204, b"")
    assert (await stage.get("/unknown"))[0] == 404
    async with stage.http.head(f"{stage.url}/echo/x") as answer:
        assert (answer.status, int(answer.headers["Content-Length"]) > 50) == (200, True)
    assert SECRET not in caplog.text


async def test_large_bodies_pass_in_pieces_and_never_lie_there_as_a_whole(stage: Stage) -> None:
    status, body = await stage.get("/large")
    assert (status, body == bytes(range(256)) * (MOST_BYTES // 256)) == (200, True)
    sent = bytes(range(256)) * (MOST_BYTES // 256)
    async with stage.http.post(f"{stage.url}/echo/x", data=io.BytesIO(sent)) as answer:
        assert (await answer.json())["size"] == MOST_BYTES
    assert stage.leading.received == sent
    assert MOST_BYTES // PART_BYTES > WINDOW_PARTS
    assert stage.post.most <= WINDOW_PARTS + 3


async def test_a_packed_request_is_unpacked_once(stage: Stage) -> None:
    packed = {"Content-Encoding": "gzip"}
    async with stage.http.post(f"{stage.url}/echo/x", data=gzip.compress(b"body"), headers=packed) as answer:
        assert (await answer.json())["size"] == 4
    assert stage.leading.received == b"body"


async def test_what_is_larger_than_the_bound_is_refused(stage: Stage) -> None:
    async with stage.http.post(f"{stage.url}/echo/x", data=io.BytesIO(bytes(MOST_BYTES + 1))) as answer:
        assert (answer.status, await answer.text()) == (413, TOO_LARGE)
    assert stage.post.calls["ask"] == 0

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MOST_BYTES // PART_BYTES + 1):
            yield bytes(PART_BYTES)

    async with stage.http.post(f"{stage.url}/echo/x", data=pieces()) as answer:
        assert (answer.status, await answer.text()) == (413, TOO_LARGE)
    assert stage.leading.received == b""


async def test_an_answer_may_come_before_the_whole_request(stage: Stage) -> None:
    async with stage.http.post(f"{stage.url}/picky", data=io.BytesIO(bytes(MOST_BYTES))) as answer:
        assert (answer.status, await answer.text()) == (401, "who are you?")


async def test_without_a_leader_nothing_is_done(stage: Stage) -> None:
    stage.post.leader = None
    async with stage.http.get(f"{stage.url}/echo/x") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert await answer.text() == NOBODY
    stage.post.is_away = True
    assert await stage.refused() == (503, LOST)
    stage.post.is_away = False
    stage.post.leader = LEADER
    assert (await stage.get("/echo/x"))[0] == 200


async def test_what_a_leader_does_not_take_is_taken_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_module, "TAKE_SECONDS", 0.1)
    stage.post.leader = NEXT_LEADER
    assert await stage.refused() == (503, NOT_TAKEN)
    assert stage.post.is_empty


async def test_a_leader_that_goes_while_it_works(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(stage.refused(_post(stage, "/slow")))
        await stage.leading.begun.wait()
        stage.post.leader = NEXT_LEADER
        await _beat_until(stage, answer.done)
    assert answer.result() == (503, LOST)


async def test_a_stream_arrives_as_it_comes_and_ends_with_the_leader(stage: Stage) -> None:
    async with stage.http.get(f"{stage.url}/stream") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        for event in (b"data: one\n\n", b"data: two\n\n"):
            stage.leading.events.put_nowait(event)
            assert await answer.content.readany() == event
        stage.post.leader = NEXT_LEADER
        reading = asyncio.ensure_future(answer.content.read())
        await _beat_until(stage, reading.done)
        with pytest.raises(ClientError):
            await reading


async def test_a_stream_that_ends_in_order(stage: Stage) -> None:
    async with stage.http.get(f"{stage.url}/stream") as answer:
        stage.leading.events.put_nowait(b"data: one\n\n")
        stage.leading.events.put_nowait(b"")
        assert await answer.content.read() == b"data: one\n\n"


async def test_who_asked_goes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_module, "LOOK_SECONDS", 0.02)
    async with stage.http.get(f"{stage.url}/stream"):
        await stage.leading.begun.wait()
    await _write_until(stage, stage.leading.ended.is_set)


async def test_a_worker_that_is_not_heard_of_any_more(stage: Stage) -> None:
    async with stage.http.get(f"{stage.url}/stream"):
        await stage.leading.begun.wait()
        stage.post.is_away = True
        stage.clock.advance(SILENCE_SECONDS + 1)
        await _write_until(stage, stage.leading.ended.is_set)


async def test_nothing_is_put_together_wrongly_when_letters_are_lost(stage: Stage) -> None:
    async with stage.http.get(f"{stage.url}/stream") as answer:
        await stage.leading.begun.wait()
        stage.leading.events.put_nowait(b"data: one\n\n")
        assert await answer.content.readany() == b"data: one\n\n"
        stage.post.lose_next = 1
        stage.leading.events.put_nowait(b"data: lost\n\n")
        await stage.until(lambda: stage.post.lose_next == 0)
        stage.leading.events.put_nowait(b"data: three\n\n")
        with pytest.raises(ClientError):
            await answer.content.read()
    # One that is lost at the end is missed, too.
    async with asyncio.TaskGroup() as group:
        stage.leading.begun.clear()
        lost = group.create_task(stage.refused(_post(stage, "/slow")))
        await stage.leading.begun.wait()
        stage.post.lose_next = 1
        stage.leading.may_end.set()
        await _beat_until(stage, lost.done)
    assert lost.result() == (503, LOST)


async def test_a_leader_that_stops_finishes_what_is_under_way_and_cuts_streams(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group, stage.http.get(f"{stage.url}/stream") as stream:
        await stage.leading.begun.wait()
        stage.leading.begun.clear()
        slow = group.create_task(_post(stage, "/slow"))
        await stage.leading.begun.wait()
        await stage.until(lambda: stage.post.is_empty)
        stage.reading.cancel()
        stage.leading.may_end.set()
        await stage.answering.stop()
        with pytest.raises(ClientError):
            await stream.content.read()
    assert await slow == (200, b"done")


async def test_web_sockets_pass(stage: Stage) -> None:
    async with stage.http.ws_connect(f"{stage.url}/socket", headers={"Authorization": SECRET}) as socket:
        assert await socket.receive_str() == SECRET
        for text in ("one", "zwei ✓", "x" * 50_000):
            await socket.send_str(text)
            assert await socket.receive_str() == f"heard {text}"
    await stage.leading.ended.wait()
    with pytest.raises(WSServerHandshakeError) as refused:
        await stage.http.ws_connect(f"{stage.url}/unknown")
    assert refused.value.status == 404
    async with stage.http.ws_connect(f"{stage.url}/socket", headers={"Authorization": SECRET}) as socket:
        assert await socket.receive_str() == SECRET
        stage.post.leader = NEXT_LEADER
        receiving = asyncio.ensure_future(socket.receive())
        await _beat_until(stage, receiving.done)
        assert receiving.result().type in (WSMsgType.CLOSE, WSMsgType.CLOSED)


async def test_so_many_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_module, "MOST_REQUESTS", 1)
    async with stage.http.get(f"{stage.url}/stream"):
        assert (await stage.get("/echo/x"))[0] == 503


async def test_workers_through_which_nothing_passes_ask_nothing(stage: Stage) -> None:
    assert (await stage.get("/echo/x"))[0] == 200
    await stage.until(lambda: stage.post.is_empty)
    before = stage.post.calls.copy()
    for _ in range(5):
        await stage.post.wait("nobody")
    assert stage.post.calls - before == {} or set(stage.post.calls - before) == {"take"}
    assert stage.post.calls["take"] - before["take"] <= 1


async def _post(stage: Stage, path: str) -> tuple[int, bytes]:
    async with stage.http.post(stage.url + path, data=b"x") as answer:
        return answer.status, await answer.read()


async def _beat_until(stage: Stage, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            stage.clock.advance(2.0)
            await asyncio.sleep(0.01)


async def _write_until(stage: Stage, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            stage.leading.events.put_nowait(b": still here\n\n")
            await asyncio.sleep(0.01)
