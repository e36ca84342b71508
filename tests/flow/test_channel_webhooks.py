"""Webhooks: signed, in order, again until taken, put aside when too old, none waiting for another."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from mautrix_whatsapp_py.config.channel import Webhook
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.whatsapp import START
from tests.flow.channel_desk import BEN, CLUB, EVE, LOGIN, Desk, desk_of, number

SECRET = "a-long-secret-for-tests"
DEADLINE_SECONDS = 30


class Receiver:
    """Programs that are told of events; each path is one of them."""

    def __init__(self) -> None:
        self.got: dict[str, list[web.BaseRequest]] = defaultdict(list)
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.answers: dict[str, list[int]] = defaultdict(list)
        """What the next posts to a path are answered; 200 when nothing is said."""
        self.holds: dict[str, asyncio.Event] = {}
        self.bodies: list[bytes] = []

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = await request.read()
        self.bodies.append(body)
        self.got[name].append(request)
        self.events[name].append(msgspec.json.decode(body))
        if name in self.holds:
            await self.holds[name].wait()
        status = self.answers[name].pop(0) if self.answers[name] else 200
        return web.Response(status=status, headers={"Location": "/other"})

    def texts(self, name: str = "a") -> list[str]:
        return [event["item"]["text"] for event in self.events[name] if event["event"] == "message"]


@asynccontextmanager
async def opened_receiver() -> AsyncIterator[tuple[Receiver, Callable[[str], str]]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{name}", receiver.answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield receiver, lambda name: str(server.make_url(f"/{name}"))
    finally:
        await server.close()


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[None]:
    """The postman is at work."""
    task = asyncio.create_task(desk.parts.postman.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


async def settled(desk: Desk, *, waiting: int, dead: int = 0, error: str = "") -> None:
    """So much is left of the first webhook, and this went wrong last."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            _, answer = await desk.call("GET", "/v1/webhooks")
            first = answer["webhooks"][0]
            if (first["waiting"], first["dead"], first["error"]) == (waiting, dead, error):
                return
            await asyncio.sleep(0.005)


def hook(url: str, **keys: Any) -> Webhook:
    return Webhook(url=url, secret=SECRET, **keys)


async def test_webhook_gets_one_signed_post_per_event_with_its_id(store: Store, tmp_path: Path) -> None:
    async with opened_receiver() as (receiver, url_of):
        hooks = (hook(url_of("a"), headers={"X-Mine": "yes"}), hook(url_of("b"), events=("account",)))
        async with desk_of(store, tmp_path / "d", allow_from=("*",), webhooks=hooks) as desk, running(desk):
            message_id = await desk.hear("hello")
            await until(lambda: receiver.texts() == ["hello"])
            (request,), (event,) = receiver.got["a"], receiver.events["a"]
            expected = hmac.new(SECRET.encode(), receiver.bodies[0], hashlib.sha256).hexdigest()
            assert request.headers["X-Channel-Signature"] == f"sha256={expected}"
            assert request.headers["X-Channel-Event-Id"] == event["id"]
            assert (request.headers["X-Channel-Event"], request.headers["X-Mine"]) == ("message", "yes")
            assert event["item"]["delivery"]["source_message_id"] == message_id
            await settled(desk, waiting=0)
            # It is told, which is not yet dealt with.
            assert await desk.texts_read() == ["hello"]
            await desk.hear("hello", message_id=message_id)
            await desk.hear("once more")
            await until(lambda: len(receiver.texts()) == 2)
            assert receiver.texts() == ["hello", "once more"]
            assert receiver.events["b"] == []


async def test_webhook_is_tried_again_in_order_per_chat_until_it_answers_2xx(store: Store, tmp_path: Path) -> None:
    async with (
        opened_receiver() as (receiver, url_of),
        desk_of(store, tmp_path / "d", allow_from=("*",), webhooks=(hook(url_of("a")),)) as desk,
    ):
        async with running(desk):
            receiver.answers["a"] = [500]
            await desk.hear("one")
            await until(lambda: len(receiver.texts()) == 1)
            await until(lambda: desk.clock.sleeping > 0)
            await desk.hear("two")
            await desk.hear("from eve", sender=number(EVE))
            await until(lambda: len(receiver.texts()) == 2)
            assert receiver.texts() == ["one", "from eve"]
            await settled(desk, waiting=2, error="it answered 500")
        # Another process goes on where this one was.
        await desk.restart()
        async with running(desk):
            receiver.answers["a"] = [302, 200]
            desk.clock.advance(2)
            await until(lambda: len(receiver.texts()) == 3)
            await settled(desk, waiting=2, error="it answered 302")
            await until(lambda: desk.clock.sleeping > 0)
            desk.clock.advance(4)
            await until(lambda: len(receiver.texts()) == 5)
            assert receiver.texts()[2:] == ["one", "one", "two"]
            ids = [event["id"] for event in receiver.events["a"] if event["item"]["text"] == "one"]
            assert len(set(ids)) == 1
            await settled(desk, waiting=0)


async def test_webhook_that_is_slow_delays_no_other(store: Store, tmp_path: Path) -> None:
    async with opened_receiver() as (receiver, url_of):
        receiver.holds["slow"] = asyncio.Event()
        hooks = (hook(url_of("slow")), hook(url_of("fast")))
        async with desk_of(store, tmp_path / "d", allow_from=("*",), webhooks=hooks) as desk, running(desk):
            for count in range(5):
                await desk.hear(f"number {count}")
            await until(lambda: len(receiver.texts("fast")) == 5)
            assert receiver.texts("slow") == ["number 0"]
            receiver.holds["slow"].set()
            await until(lambda: len(receiver.texts("slow")) == 5)
            assert receiver.texts("slow") == receiver.texts("fast") == [f"number {count}" for count in range(5)]


async def test_webhook_max_age_puts_events_aside_and_retry_sends_them(store: Store, tmp_path: Path) -> None:
    async with opened_receiver() as (receiver, url_of):
        keys: dict[str, Any] = {"allow_from": ("*",), "webhook_max_age_hours": 1}
        async with desk_of(store, tmp_path / "d", webhooks=(hook(url_of("a")),), **keys) as desk, running(desk):
            receiver.answers["a"] = [500, 500]
            await desk.hear("one")
            await until(lambda: len(receiver.texts()) == 1)
            await until(lambda: desk.clock.sleeping > 0)
            desk.clock.advance(3600)
            await settled(desk, waiting=0, dead=1, error="it answered 500")
            assert await desk.call("POST", "/v1/webhooks/retry", {}) == (200, {"ok": True, "count": 1})
            await until(lambda: len(receiver.texts()) == 3)
            await settled(desk, waiting=0)
            assert await desk.call("POST", "/v1/webhooks/retry", {}) == (200, {"ok": True, "count": 0})


async def test_webhooks_tell_of_accounts_and_strangers(store: Store, tmp_path: Path) -> None:
    async with opened_receiver() as (receiver, url_of):
        hooks = (hook(url_of("a")), hook(url_of("b"), accounts=("other",)))
        async with desk_of(store, tmp_path / "d", webhooks=hooks) as desk, running(desk):
            await desk.parts.watch.look()
            await desk.parts.watch.look()
            desk.network.set_state(LOGIN, WaState(kind=WaStateKind.BAD_CREDENTIALS, since=START, error="wa-x"))
            desk.clock.advance(1)
            await desk.parts.watch.look()
            await desk.hear("let me in")
            await until(lambda: len(receiver.events["a"]) == 3)
            told = [event["state"] or event["request"] for event in receiver.events["a"]]
            by_kind = {event["event"]: event for event in receiver.events["a"]}
            assert [one["state"] for one in told if "state" in one] == ["CONNECTED", "BAD_CREDENTIALS"]
            assert by_kind["pairing"]["request"] == {"number": f"+{BEN}"}
            assert receiver.events["b"] == []
            # A code opens the door: who asks for it shows the token.
            _, pending = await desk.call("GET", "/v1/pairing")
            assert pending["requests"][0]["code"].encode() not in b"".join(receiver.bodies)


async def test_webhook_waits_for_texts_that_are_joined(store: Store, tmp_path: Path) -> None:
    async with opened_receiver() as (receiver, url_of):
        keys: dict[str, Any] = {"allow_from": ("*",), "debounce_ms": 500}
        async with desk_of(store, tmp_path / "d", webhooks=(hook(url_of("a")),), **keys) as desk, running(desk):
            await desk.hear("one")
            await desk.hear("two")
            await until(lambda: desk.clock.sleeping > 0)
            assert receiver.bodies == []
            desk.clock.advance(1)
            await until(lambda: receiver.texts() == ["one\ntwo"])


async def test_webhook_that_is_nowhere_is_only_waited_for(store: Store, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"allow_from": ("*",), "webhooks": (hook("http://127.0.0.1:9/x?key=secret"),)}
    async with desk_of(store, tmp_path / "d", **keys) as desk, running(desk):
        await desk.hear("in the group", chat=CLUB)
        await desk.hear("hello")
        await settled(desk, waiting=1, error="it could not be reached (ClientConnectorError)")
        _, answer = await desk.call("GET", "/v1/webhooks")
        assert answer["webhooks"][0]["url"] == "http://127.0.0.1:9/x"
        assert await desk.texts_read() == ["hello"]


async def test_events_that_no_webhook_takes_are_not_kept_for_ever(store: Store, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"allow_from": ("*",), "webhooks": (hook("http://127.0.0.1:9/x"),)}
    async with desk_of(store, tmp_path / "d", **keys) as desk:
        await desk.hear("hello")
        desk.clock.advance(31 * 86400)
        await desk.parts.postman.prune()
        await settled(desk, waiting=0)
