"""Every operation of `/bridge` and `/v1`, under its name: what it does, and what it says when it cannot."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.model.content import WaKind, WaReaction, WaText
from mautrix_whatsapp_py.model.media import WaFile, WaMedia
from mautrix_whatsapp_py.model.rich import WaPoll
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.whatsapp import START
from tests.flow.channel_desk import BEN, CLUB, LOGIN, Desk, desk_of, number

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""

TARGET = f"whatsapp-personal:default:contact:+{BEN}"
AWAY = WaState(kind=WaStateKind.TRANSIENT_DISCONNECT, since=START)


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(store, tmp_path / "desk", allow_from=(f"+{BEN}",)) as desk:
        yield desk


async def statuses(desk: Desk, path: str, *bodies: dict[str, Any]) -> list[int]:
    """What posts are answered."""
    return [(await desk.call("POST", path, body))[0] for body in bodies]


# The contract


async def test_operation_send_message_of_the_contract(desk: Desk) -> None:
    send = {"target": {"id": TARGET}, "message": {"Text": "hi"}}
    assert await desk.operate("send_message", send) == (
        200,
        {"ok": True, "message_ids": ["FAKE0"], "uncertain": False},
    )
    assert (await desk.operate("send_message", {"target": {"id": TARGET}}))[0] == 400
    assert (await desk.operate("send_message", {**send, "target": {"id": "contact:+1"}}))[0] == 400
    unknown = {"id": f"whatsapp-personal:nobody:contact:+{BEN}"}
    assert (await desk.operate("send_message", {**send, "target": unknown}))[0] == 404
    desk.network.set_state(LOGIN, AWAY)
    assert (await desk.operate("send_message", send))[0] == 503
    await desk.network.logout(LOGIN)
    assert (await desk.operate("send_message", send))[0] == 409


async def test_operation_receive_batch(desk: Desk) -> None:
    for said in ("one", "two"):
        await desk.hear(said)
    assert [item["text"] for item in await desk.batch(max=1)] == ["one"]
    context = {"account": {"configured_account_id": "default", "config": {"allowed_chat_ids": [f"+{BEN}"]}}}
    assert [item["text"] for item in await desk.batch(runtime_context=context, wait_ms=0)] == ["two"]
    assert await desk.batch() == []
    nobody = {"runtime_context": {"account": {"account_id": "nobody"}}}
    assert (await desk.operate("receive_batch", nobody))[0] == 404


async def test_operation_ack_inbound(desk: Desk) -> None:
    await desk.hear("one")
    await desk.hear("two")
    first, second = await desk.batch()
    await desk.ack(first)
    assert await desk.operate("ack_inbound", {"ack_cursor": second["delivery"]["ack_cursor"]}) == (
        200,
        {"ok": True},
    )
    assert await desk.texts_read() == []
    assert (await desk.operate("ack_inbound", {}))[0] == 400


async def test_operation_complete_batch(desk: Desk) -> None:
    await desk.hear("one")
    await desk.batch()
    assert await desk.batch() == []
    assert await desk.operate("complete_batch", {}) == (200, {"ok": True})
    assert [item["text"] for item in await desk.batch()] == ["one"]


async def test_operation_bridge(desk: Desk) -> None:
    body = {"method": "m", "id": "1", "operation": "complete_batch"}
    assert await desk.call("POST", "/bridge", body) == (200, {"method": "m", "id": "1", "payload": {"ok": True}})
    assert (await desk.call("POST", "/bridge", {**body, "operation": "nothing"}))[0] == 404
    assert (await desk.call("GET", "/bridge"))[0] == 405


# Our own


async def test_operation_get_accounts(desk: Desk) -> None:
    await desk.hear("hello")
    _, answer = await desk.call("GET", "/v1/accounts")
    (account,) = answer["accounts"]
    assert (account["id"], account["number"], account["state"], account["waiting"]) == (
        "default",
        f"+{LOGIN}",
        "CONNECTED",
        1,
    )


async def test_operation_get_account(desk: Desk) -> None:
    assert (await desk.call("GET", "/v1/accounts/DEFAULT"))[1]["state"] == "CONNECTED"
    assert (await desk.call("GET", "/v1/accounts/nobody"))[0] == 404
    assert (await desk.call("GET", "/v1/accounts/a%20b"))[0] == 400


async def test_operation_logout_is_for_links_of_the_channels_own(desk: Desk) -> None:
    assert (await desk.call("POST", "/v1/accounts/default/logout", {}))[0] == 403
    assert LOGIN in desk.network.clients


async def test_operation_get_chats(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Club")
    _, answer = await desk.call("GET", "/v1/chats")
    assert [one["name"] for one in answer["chats"]] == ["Club"]
    desk.network.set_state(LOGIN, AWAY)
    assert (await desk.call("GET", "/v1/chats"))[0] == 503


async def test_operation_get_contacts(desk: Desk) -> None:
    desk.directory.add_contact(BEN, "Ben")
    _, answer = await desk.call("GET", "/v1/contacts?account=default")
    assert answer == {"chats": [{"target": TARGET, "name": "Ben", "is_group": False}]}
    assert (await desk.call("GET", "/v1/contacts?account=nobody"))[0] == 404


async def test_operation_send_message(desk: Desk) -> None:
    asked = await desk.hear("hello")
    body = {"target": TARGET, "text": "hi", "reply_to": asked, "idempotency_key": "k"}
    first = await desk.call("POST", "/v1/messages", body)
    assert first == (200, {"ok": True, "message_ids": ["FAKE0"], "uncertain": False})
    assert await desk.call("POST", "/v1/messages", body) == first
    (sent,) = desk.client.messages
    assert isinstance(sent.content, WaText)
    assert sent.content.context.quote is not None
    wrong = ({"target": TARGET}, {"text": "hi"}, {**body, "text": "other"}, {**body, "more": 1})
    assert await statuses(desk, "/v1/messages", *wrong) == [400] * 4
    assert await statuses(desk, "/v1/messages", {**body, "reply_to": "NONE", "idempotency_key": ""}) == [404]


async def test_operation_send_reaction(desk: Desk) -> None:
    message_id = await desk.hear("hello")
    body = {"target": TARGET, "message_id": message_id, "emoji": "👍"}
    assert await statuses(desk, "/v1/reactions", body, {**body, "emoji": ""}) == [200, 200]
    sent = [one.content.emoji for one in desk.client.messages if isinstance(one.content, WaReaction)]
    assert sent == ["👍", ""]
    wrong = ({**body, "emoji": "no"}, {**body, "message_id": "NONE"}, {"target": TARGET})
    assert await statuses(desk, "/v1/reactions", *wrong) == [400, 404, 400]


async def test_operation_send_poll(desk: Desk) -> None:
    body = {"target": TARGET, "question": "When?", "options": ["now", "later"], "selectable": 0}
    assert await statuses(desk, "/v1/polls", body) == [200]
    expected = WaPoll(question="When?", options=("now", "later"), selectable=0)
    assert [one.content for one in desk.client.messages] == [expected]
    assert await statuses(desk, "/v1/polls", {**body, "options": ["a"]}, {**body, "selectable": 3}) == [400, 400]


async def test_operation_mark_read(desk: Desk) -> None:
    message_id = await desk.hear("hello")
    for task in tuple(desk.parts.courtesies.tasks):
        await task
    body = {"target": TARGET, "message_ids": [message_id]}
    assert await statuses(desk, "/v1/read", body, {**body, "message_ids": ["NONE"]}) == [200, 404]
    assert [mark.message_ids for mark in desk.client.marked] == [(message_id,)] * 2
    assert await statuses(desk, "/v1/read", {**body, "message_ids": []}) == [400]


async def test_operation_send_typing(desk: Desk) -> None:
    body = {"target": TARGET, "typing": True}
    assert await statuses(desk, "/v1/typing", body, {**body, "typing": False}, {"target": TARGET}) == [
        200,
        200,
        400,
    ]
    assert desk.client.typing == [(number(BEN), True), (number(BEN), False)]


async def test_operation_get_events(desk: Desk) -> None:
    for said in ("one", "two"):
        await desk.hear(said)
    _, page = await desk.call("GET", "/v1/events?limit=1")
    _, rest = await desk.call("GET", f"/v1/events?after={page['next']}")
    assert [item["text"] for item in page["items"] + rest["items"]] == ["one", "two"]
    for query in ("after=x", "limit=0", "wait_ms=60001", "more=1"):
        assert (await desk.call("GET", f"/v1/events?{query}"))[0] == 400, query


async def test_operation_stream_events(desk: Desk) -> None:
    await desk.hear("one")
    async with desk.http.get("/v1/events/stream") as stream:
        lines = [(await stream.content.readline()).decode().rstrip("\n") for _ in range(4)]
        assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", ""]
        assert json.loads(lines[2].removeprefix("data: "))["text"] == "one"
        await desk.hear("two")
        more = [(await stream.content.readline()).decode() for _ in range(3)]
        assert '"text":"two"' in more[2]
    assert (await desk.call("GET", "/v1/events/stream?after=x"))[0] == 400


async def test_operation_socket_events(desk: Desk) -> None:
    await desk.hear("one")
    async with desk.http.ws_connect("/v1/events/socket") as socket:
        item = await socket.receive_json()
        assert item["text"] == "one"
        await socket.send_str("no cursor")
        assert "cursor" in (await socket.receive_json())["error"]
        await socket.send_str(item["delivery"]["ack_cursor"])
        await desk.hear("two")
        assert (await socket.receive_json())["text"] == "two"
    assert await desk.texts_read() == ["two"]


async def test_operation_ack(desk: Desk) -> None:
    await desk.hear("one")
    (item,) = await desk.batch()
    body = {"ack_cursor": item["delivery"]["ack_cursor"]}
    assert await statuses(desk, "/v1/acks", body, body, {"ack_cursor": "x"}, {}) == [200, 200, 400, 400]
    assert await desk.texts_read() == []


async def test_operation_get_strangers_approve_and_deny(desk: Desk) -> None:
    for digits in ("15550003333", "15550004444"):
        await desk.hear("let me in", sender=number(digits))
    _, pending = await desk.call("GET", "/v1/pairing?account=default")
    codes = {one["number"]: one["code"] for one in pending["requests"]}
    approve, deny = {"code": codes["+15550003333"]}, {"code": codes["+15550004444"]}
    assert await desk.call("POST", "/v1/pairing/approve", approve) == (200, {"ok": True, "number": "+15550003333"})
    assert await desk.call("POST", "/v1/pairing/deny", deny) == (200, {"ok": True, "number": "+15550004444"})
    assert await statuses(desk, "/v1/pairing/approve", approve, deny, {}) == [404, 404, 400]
    for digits in ("15550003333", "15550004444"):
        await desk.hear(f"from {digits}", sender=number(digits))
    assert await desk.texts_read() == ["from 15550003333"]


async def test_operation_approve(desk: Desk) -> None:
    assert await statuses(desk, "/v1/pairing/approve", {"code": "ABCDEFGH"}, {"code": ""}) == [404, 400]


async def test_operation_deny(desk: Desk) -> None:
    assert await statuses(desk, "/v1/pairing/deny", {"code": "ABCDEFGH"}, {"code": 1}) == [404, 400]


async def test_operation_get_webhooks(desk: Desk) -> None:
    assert await desk.call("GET", "/v1/webhooks") == (200, {"webhooks": []})


async def test_operation_retry_webhooks(desk: Desk) -> None:
    assert await desk.call("POST", "/v1/webhooks/retry", {}) == (200, {"ok": True, "count": 0})
    assert await statuses(desk, "/v1/webhooks/retry", {"all": True}) == [400]


async def test_operation_upload(desk: Desk) -> None:
    async with desk.http.post("/v1/uploads?name=../a.jpg", data=io.BytesIO(b"data")) as response:
        upload = await response.json()
    assert upload["size"] == 4
    assert await statuses(desk, "/v1/messages", {"target": TARGET, "media": {"upload": upload["upload"]}}) == [200]
    sent = desk.client.messages[0].content
    assert isinstance(sent, WaMedia)
    assert (sent.kind, "/" in sent.file_name) == (WaKind.IMAGE, False)
    async with desk.http.post("/v1/uploads", data=b"") as response:
        assert response.status == 400
    desk.clock.advance(3_601)
    assert await statuses(desk, "/v1/messages", {"target": TARGET, "media": {"upload": upload["upload"]}}) == [404]


async def test_operation_download(desk: Desk) -> None:
    file = WaFile(direct_path="/v/1", media_key=b"k", sha256=b"s", enc_sha256=b"e", size_bytes=5)
    desk.shelf.files["/v/1"] = b"image"
    await desk.hear(WaMedia(kind=WaKind.IMAGE, file=file, mime_type="image/jpeg"))
    (item,) = await desk.batch()
    cursor = item["delivery"]["ack_cursor"]
    assert await desk.call("GET", f"/v1/media/{cursor}/0") == (200, b"image")
    for path in (f"/v1/media/{cursor}/1", f"/v1/media/{cursor}/x", "/v1/media/i999/0"):
        assert (await desk.call("GET", path))[0] == 404
    assert (await desk.call("GET", "/v1/media/x/0"))[0] == 400


async def test_operation_openapi(desk: Desk) -> None:
    status, document = await desk.call("GET", "/v1/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
