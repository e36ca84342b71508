"""Whatever a homeserver pushes, the endpoint answers sensibly and the next event gets through."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from yarl import URL

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.intake import Intake
from mautrix_whatsapp_py.ports import MxInbox
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress
from tests.fakes.clock import FakeClock
from tests.fakes.mx_inbox import FakeMxInbox
from tests.fakes.mx_sink import FakeMxSink
from tests.store.conftest import migrated_copy
from tests.unit.matrix.shapes import EPHEMERAL, EVENTS, TO_DEVICE, Json, message

TOKEN = "token"
FUZZ = settings(
    max_examples=120,
    deadline=None,
    # One endpoint for all examples is the point: an example must not spoil it for the next.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(kw_only=True)
class Pusher:
    """A homeserver that pushes anything."""

    http: aiohttp.ClientSession
    port: int
    sink: FakeMxSink
    numbers: itertools.count[int]
    txn_numbers: itertools.count[int]

    def good(self) -> Json:
        return {**message({"msgtype": "m.text", "body": "fine"}), "event_id": f"$good{next(self.numbers)}"}

    async def push(self, body: bytes) -> int:
        path = f"/_matrix/app/v1/transactions/{next(self.txn_numbers)}"
        async with self.http.put(path, data=BytesIO(body)) as response:
            answer = await response.json()
            assert (response.status == 200) == ("errcode" not in answer)
            return response.status

    async def require_next_gets_through(self) -> None:
        event = self.good()
        assert await self.push(dump({"events": [event]})) == 200
        assert self.sink.event_ids[-1] == event["event_id"]


@pytest.fixture(params=["fake", "sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress | None]:
    if request.param == "fake":
        yield None
        return
    with migrated_copy(request.param, request, tmp_path) as address:
        yield address


@pytest.fixture
async def inbox(address: DatabaseAddress | None) -> AsyncIterator[MxInbox]:
    if address is None:
        yield FakeMxInbox()
        return
    store = Store(address)
    yield Inbox(store, FakeClock())
    await store.close()


@pytest.fixture
async def pusher(inbox: MxInbox) -> AsyncIterator[Pusher]:
    async def is_ghost(_user: MxUserId) -> bool:
        return False

    sink = FakeMxSink()
    appservice = AppService(
        Intake(inbox, sink),
        Hooks(is_ghost=is_ghost, unready_parts=lambda: ()),
        bot=MxUserId("@bot:example.org"),
        hs_token=TOKEN,
    )
    await appservice.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(
        base_url=f"http://127.0.0.1:{appservice.port}", headers={"Authorization": f"Bearer {TOKEN}"}
    ) as http:
        yield Pusher(
            http=http,
            port=appservice.port,
            sink=sink,
            numbers=itertools.count(),
            txn_numbers=itertools.count(10**12),
        )
    await appservice.stop()


def dump(value: object, *, is_ascii: bool = True) -> bytes:
    """JSON, with lone surrogates and nesting that no encoder writes."""
    text = json.dumps(value, ensure_ascii=is_ascii).encode(errors="surrogatepass")
    return DEEP.sub(_nest, text)


DEEP = re.compile(rb'"DEEP (list|object) (\d+)"')


def _nest(deep: re.Match[bytes]) -> bytes:
    opening, closing = (b"[", b"]") if deep[1] == b"list" else (b'{"a":', b"}")
    return opening * int(deep[2]) + b"1" + closing * int(deep[2])


texts = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    ["\0", "\ud800", "m.room.message", "@a:b", "\u202e"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, 2**63, 2**64, -(2**63) - 1, 10**4000])
    | st.floats()
    | texts
)
deep = st.builds(
    "DEEP {} {}".format, st.sampled_from(["list", "object"]), st.sampled_from([100, 900, 1000, 5000, 20_000])
)
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
anything = junk | deep


def paths(value: object, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
    found = [prefix] if prefix else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += paths(child, (*prefix, key))
    return found


@st.composite
def mutated(draw: st.DrawFn, shapes: list[Json]) -> Json:
    """A shape of the specification with something wrong in it, or not."""
    event = copy.deepcopy(draw(st.sampled_from(shapes)))
    event["event_id"] = draw(st.integers(0, 50).map(lambda number: f"$event{number}"))
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from(paths(event)))
        parent: Any = event
        for key in way:
            parent = parent[key]
        if draw(st.booleans()):
            parent[last] = draw(anything)
        elif isinstance(parent, dict):
            del parent[last]
        if not event:
            break
    return event


events = mutated(EVENTS)
parts = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(mutated(shapes) | anything, max_size=3) | anything
        for shapes, names in (
            (EPHEMERAL, ("ephemeral", "de.sorunome.msc2409.ephemeral")),
            (TO_DEVICE, ("to_device", "de.sorunome.msc2409.to_device")),
            (EVENTS, ("org.matrix.msc3202.device_lists", "anything")),
        )
        for name in names
    },
)


@FUZZ
@given(odd=st.lists(events | anything, max_size=6), others=parts, is_ascii=st.booleans())
@example(odd=["DEEP list 20000", "DEEP object 990", 10**4200], others={}, is_ascii=True)
async def test_no_event_costs_its_neighbours(pusher: Pusher, odd: list[Any], others: Json, is_ascii: bool) -> None:
    before, after = pusher.good(), pusher.good()
    handed_over = len(pusher.sink.events)
    assert await pusher.push(dump({**others, "events": [before, *odd, after]}, is_ascii=is_ascii)) == 200
    new = pusher.sink.event_ids[handed_over:]
    assert (new[0], new[-1]) == (before["event_id"], after["event_id"])
    await pusher.require_next_gets_through()


@FUZZ
@given(body=anything | st.fixed_dictionaries({"events": anything}), is_ascii=st.booleans())
async def test_json_of_any_shape_is_answered(pusher: Pusher, body: Any, is_ascii: bool) -> None:
    given_events = body.get("events", []) if isinstance(body, dict) else []
    is_object = isinstance(body, dict) or str(body).startswith("DEEP object")
    is_transaction = is_object and (isinstance(given_events, list) or str(given_events).startswith("DEEP list"))
    assert await pusher.push(dump(body, is_ascii=is_ascii)) == (200 if is_transaction else 400)
    await pusher.require_next_gets_through()


@FUZZ
@given(data=st.data(), given_events=st.lists(events, min_size=1, max_size=3))
async def test_damaged_bytes_are_answered(pusher: Pusher, data: st.DataObject, given_events: list[Json]) -> None:
    body = bytearray(dump({"events": given_events, "ephemeral": EPHEMERAL}))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert await pusher.push(bytes(body)) in {200, 400}
    await pusher.require_next_gets_through()


@FUZZ
@given(body=st.binary(max_size=200))
async def test_bytes_that_are_no_json_are_refused(pusher: Pusher, body: bytes) -> None:
    assert await pusher.push(b"\x01" + body) == 400
    await pusher.require_next_gets_through()


@FUZZ
@given(txn_id=texts)
async def test_any_transaction_id_is_answered(pusher: Pusher, txn_id: str) -> None:
    path = f"/transactions/{quote(txn_id, safe='', errors='surrogatepass')}"
    url = URL(f"http://127.0.0.1:{pusher.port}{path}", encoded=True)
    async with pusher.http.put(url, data=dump({"events": [pusher.good()]})) as response:
        # 503 where the number shows that others are missing before it.
        assert response.status in {200, 400, 404, 503}
    await pusher.require_next_gets_through()
