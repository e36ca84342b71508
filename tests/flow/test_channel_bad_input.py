"""Hostile requests: the right status, one line of reason, nothing done."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mautrix_whatsapp_py.channel.faults import ChannelFault
from mautrix_whatsapp_py.channel.pairing import ALPHABET
from mautrix_whatsapp_py.channel.web import shapes
from mautrix_whatsapp_py.channel.web.answers import decode
from mautrix_whatsapp_py.channel.web.openapi import OPERATIONS
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tables_channel import channel_strangers
from tests.flow.channel_desk import BEN, TOKEN, Desk, desk_of, number

TO_BEN = f"contact:+{BEN}"
LONG = "x" * 100_000
BROKEN = (b"", b"{", b"nothing", b"\xff\xfe", b"[" * 50_000, b'{"operation": "\\ud800"}', b"[]", b"null", b"1")


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(store, tmp_path / "desk", allow_from=("*",)) as desk:
        yield desk


async def ask(desk: Desk, path: str, *, method: str = "GET", token: str | None = None, **headers: str) -> int:
    """A request with headers of its own; its status."""
    url = desk.http.make_url(path)
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    body = {} if method == "POST" else None
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, json=body) as response:
        said = await response.read()
        assert response.status == 200 or b"\n" not in said.strip()
        return response.status


async def test_only_the_token_opens(desk: Desk) -> None:
    assert await ask(desk, "/v1/accounts", token=TOKEN) == 200
    assert await ask(desk, "/v1/accounts") == 401
    for wrong in ("", "wrong", TOKEN + "x", TOKEN[:-1], "ü", LONG[:8000]):
        assert await ask(desk, "/v1/accounts", token=wrong) == 401
    assert await ask(desk, f"/v1/accounts?token={TOKEN}") == 401
    assert await ask(desk, f"/v1/accounts?access_token={TOKEN}") == 401
    assert await ask(desk, f"/v1/{TOKEN}/accounts") == 401
    assert await ask(desk, "/v1/accounts", Authorization=f"Basic {TOKEN}") == 401
    assert await ask(desk, "/v1/accounts", Cookie=f"token={TOKEN}") == 401
    assert await ask(desk, f"/bridge/{TOKEN}", method="POST") == 400
    assert await ask(desk, "/bridge/wrong", method="POST") == 401
    assert await ask(desk, "/nothing") == 401


async def test_web_pages_and_foreign_names_are_refused(desk: Desk) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1", ""):
        assert await ask(desk, "/v1/accounts", token=TOKEN, Origin=origin) == 403
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "169.254.169.254",
        "localhost.evil",
        "[::2]",
        "0.0.0.0",
    ):
        assert await ask(desk, "/v1/accounts", token=TOKEN, Host=host) == 403
        assert await ask(desk, "/v1/accounts", token=TOKEN, Host=f"{host}:39731") == 403
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:39731", "[::1]:39731"):
        assert await ask(desk, "/v1/accounts", token=TOKEN, Host=host) == 200


async def test_bodies_of_the_wrong_kind_or_size(desk: Desk) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"):
        async with desk.http.post("/bridge", data="{}", headers={"Content-Type": kind}) as response:
            assert response.status == 415
    json_kind = {"Content-Type": "application/json"}
    for body in (
        b"",
        b"{",
        b"nothing",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"operation": "\\ud800"}',
        b"[]",
        b"null",
        b"1",
    ):
        async with desk.http.post("/bridge", data=body, headers=json_kind) as response:
            assert response.status == 400, body[:20]
    async with desk.http.post("/bridge", data=io.BytesIO(b" " * (1 << 20) + b"{}"), headers=json_kind) as response:
        assert response.status == 413
    assert (await desk.call("GET", "/v1/nothing"))[0] == 404
    assert (await desk.call("DELETE", "/v1/messages"))[0] == 405


WRONG_SENDS: list[tuple[dict[str, Any], str]] = [
    ({}, "target"),
    ({"target": None}, "target"),
    ({"target": {}}, "id"),
    ({"target": {"id": 1}}, "target.id"),
    ({"target": {"id": ""}}, "target.id"),
    ({"target": {"id": LONG}}, "target.id"),
    ({"target": {"id": "nobody"}}, "contact:"),
    ({"target": {"id": "contact:05550001111"}}, "country code"),
    ({"target": {"id": "contact:12"}}, "short"),
    ({"target": {"id": "contact:1" + "2" * 30}}, "long"),
    ({"target": {"id": "contact:abc"}}, "digits"),
    ({"target": {"id": "contact:x@evil.example"}}, "contact"),
    ({"target": {"id": "group:x"}}, "group"),
    ({"target": {"id": "whatsapp-personal:default"}}, "incomplete"),
    ({"target": {"id": "whatsapp-personal:ACCOUNT WITH SPACES:contact:+1"}}, "account"),
    ({"target": {"id": TO_BEN}}, "nothing to send"),
    ({"target": {"id": TO_BEN}, "message": {"text": " \n"}}, "nothing to send"),
    ({"target": {"id": TO_BEN}, "message": "hi"}, "message"),
    ({"target": {"id": TO_BEN}, "message": {"text": 1}}, "message.text"),
    ({"target": {"id": TO_BEN}, "message": {"text": "a", "Text": "b"}}, "one of them"),
    ({"target": {"id": TO_BEN}, "message": {"text": "a"}, "idempotency_key": "a\u0000b"}, "idempotency_key"),
    ({"target": {"id": TO_BEN}, "message": {"text": "a"}, "idempotency_key": LONG}, "idempotency_key"),
    ({"target": {"id": TO_BEN}, "message": {"text": "a"}, "media": {}}, "one of them"),
    ({"target": {"id": TO_BEN}, "media": {"url": "javascript:alert(1)"}}, "must begin"),
    ({"target": {"id": TO_BEN}, "media": {"url": "data:text/plain,x"}}, "must begin"),
]


async def test_send_message_says_what_is_wrong(desk: Desk) -> None:
    for payload, word in WRONG_SENDS:
        status, answer = await desk.operate("send_message", payload)
        assert (status, word in answer["error"]) == (400, True), (payload, answer)
    assert desk.client.messages == []


WRONG_OPERATIONS: list[tuple[str, dict[str, Any], int]] = [
    ("receive_batch", {"wait_ms": -1}, 400),
    ("receive_batch", {"wait_ms": 60_001}, 400),
    ("receive_batch", {"max": 0}, 400),
    ("receive_batch", {"max": "many"}, 400),
    ("receive_batch", {"runtime_context": []}, 400),
    ("receive_batch", {"runtime_context": {"account": {"account_id": "none"}}}, 404),
    ("receive_batch", {"runtime_context": {"account": {"config": {"allowed_chat_ids": "*"}}}}, 400),
    ("ack_inbound", {}, 400),
    ("ack_inbound", {"ack_cursor": ""}, 400),
    ("ack_inbound", {"ack_cursor": "1"}, 400),
    ("ack_inbound", {"ack_cursor": "i-1"}, 400),
    ("ack_inbound", {"ack_cursor": "i" + "9" * 40}, 400),
    ("ack_inbound", {"ack_cursor": "i²"}, 400),
    ("ack_inbound", {"message": {}}, 400),
    ("ack_inbound", {"message": {"delivery": {"ack_cursor": 1}}}, 400),
    ("complete_batch", {"runtime_context": {"account": 1}}, 400),
    ("delete_everything", {}, 404),
    ("", {}, 404),
]


async def test_other_operations_say_what_is_wrong(desk: Desk) -> None:
    await desk.hear("hello")
    for operation, payload, expected in WRONG_OPERATIONS:
        status, answer = await desk.operate(operation, payload)
        assert (status, "\n" in answer["error"]) == (expected, False), (operation, payload, answer)
    assert await desk.texts_read() == ["hello"]


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KINDS = [
    *(operation.body for operation in OPERATIONS if isinstance(operation.body, type)),
    shapes.BridgeSend,
    shapes.BridgeReceive,
    shapes.BridgeAck,
]


def reason_for(body: bytes, kind: type[Any]) -> str:
    """Why a body is refused; empty when it is not."""
    try:
        decode(body, kind)
    except ChannelFault as fault:
        return fault.text
    return ""


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(KINDS), body=HOSTILE, names=st.booleans(), data=st.data())
def test_no_body_is_more_than_refused(kind: type[Any], body: Any, names: bool, data: st.DataObject) -> None:
    fields = kind.__struct_fields__
    if names and fields:
        body = {name: data.draw(HOSTILE) for name in data.draw(st.lists(st.sampled_from(fields), max_size=4))}
    assert re.fullmatch(r"[^\n]{0,300}", reason_for(json.dumps(body).encode(), kind))


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    assert "\n" not in reason_for(body, shapes.BridgeRequest)


async def test_many_strangers_take_no_more_than_three_places(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "other") as desk:
        for count in range(50):
            await desk.hear("let me in", sender=number(f"1777{count:07}"))
        _, pending = await desk.call("GET", "/v1/pairing")
        assert (len(pending["requests"]), len(desk.texts)) == (3, 3)


@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_ten_thousand_pending_approvals_are_no_burden(store: Store, tmp_path: Path) -> None:
    async with desk_of(store, tmp_path / "other") as desk:
        now = int(desk.clock.now().timestamp() * 1000)
        rows = [
            {
                "account": "default", "number": f"1888{count:07}", "code": to_code(count),
                "message_id": f"S{count}", "told_at_ms": now, "is_settled": True,
            }
            for count in range(10_000)
        ]  # fmt: skip

        async def fill(tx: Tx) -> None:
            await tx.execute(tx.insert(channel_strangers), rows)

        await store.write(fill)
        _, pending = await desk.call("GET", "/v1/pairing")
        assert len(pending["requests"]) == 10_000
        await desk.hear("let me in too")
        assert desk.texts == []
        assert (await desk.call("POST", "/v1/pairing/approve", {"code": to_code(9_999)}))[0] == 200
        assert (await desk.call("POST", "/v1/pairing/deny", {"code": to_code(0)}))[0] == 200
        await desk.hear("thank you", sender=number("18880009999"))
        assert await desk.texts_read() == ["thank you"]
        desk.clock.advance(3_601)
        await desk.hear("and now?")
        _, pending = await desk.call("GET", "/v1/pairing")
        assert len(pending["requests"]) == len(desk.texts) == 1


def to_code(count: int) -> str:
    """Another code for each number."""
    digits = []
    for _ in range(8):
        count, digit = divmod(count, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(digits)
