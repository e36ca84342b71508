"""The endpoint over real HTTP."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import closing
from io import BytesIO
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.matrix.appservice import AppService
from mautrix_whatsapp_py.model.mx import MxReceipt, MxStored, MxTyping
from tests.unit.matrix.conftest import BOT, TOKEN, Endpoint
from tests.unit.matrix.shapes import EPHEMERAL, TO_DEVICE, Json, message

PATH = "/_matrix/app/v1/transactions/1"


def events(*numbers: int, room: str = "!room") -> list[Json]:
    return [
        {**message({"msgtype": "m.text", "body": f"{n}"}), "event_id": f"$event{n}", "room_id": room}
        for n in numbers
    ]


async def put(http: aiohttp.ClientSession, path: str, body: Any) -> tuple[int, Json]:
    async with http.put(path, json=body) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("path", [PATH, "/transactions/1"])
async def test_a_transaction_is_stored_then_handed_over(
    path: str, http: aiohttp.ClientSession, endpoint: Endpoint
) -> None:
    assert await put(http, path, {"events": events(1, 2, 3)}) == (200, {})
    assert list(endpoint.inbox.transactions) == ["1"]
    assert endpoint.sink.event_ids == ["$event1", "$event2", "$event3"]
    assert endpoint.sink.seqs == sorted(endpoint.inbox.pending)


async def test_repetition_is_a_no_op(http: aiohttp.ClientSession, endpoint: Endpoint) -> None:
    body = {"events": events(1), "ephemeral": EPHEMERAL, "to_device": TO_DEVICE}
    assert await put(http, PATH, body) == (200, {})
    assert await put(http, PATH, body) == (200, {})
    assert await put(http, "/transactions/2", {"events": events(1, 2)}) == (200, {})
    assert endpoint.sink.event_ids == ["$event1", "$event2"]
    assert len(endpoint.sink.ephemeral) == 4
    assert [len(news.messages) for news in endpoint.keys] == [2]


@pytest.mark.parametrize("name", ["ephemeral", "de.sorunome.msc2409.ephemeral"])
async def test_ephemeral_parts(name: str, http: aiohttp.ClientSession, endpoint: Endpoint) -> None:
    assert await put(http, PATH, {"events": [], name: EPHEMERAL}) == (200, {})
    assert [type(event) for event in endpoint.sink.ephemeral] == [MxTyping, MxReceipt, MxReceipt, MxReceipt]
    assert not endpoint.inbox.transactions


@pytest.mark.parametrize("name", ["to_device", "de.sorunome.msc2409.to_device"])
async def test_to_device_parts(name: str, http: aiohttp.ClientSession, endpoint: Endpoint) -> None:
    assert await put(http, PATH, {"events": [], name: TO_DEVICE}) == (200, {})
    (news,) = endpoint.keys
    assert [part.kind for part in news.messages] == ["m.room.encrypted", "m.room_key_request"]


@pytest.mark.parametrize("prefix", ["", "org.matrix.msc3202."])
async def test_changes_of_devices_and_counts_of_keys(
    prefix: str, http: aiohttp.ClientSession, endpoint: Endpoint
) -> None:
    counts = {BOT: {"DEVICE": {"signed_curve25519": 7, "curve25519": 1}, "OTHER": {}}}
    body = {
        "events": [],
        f"{prefix}device_lists": {"changed": ["@ann:example.org", ""], "left": ["@bob:example.org"]},
        f"{prefix}device_one_time_keys_count": counts,
    }
    assert await put(http, PATH, body) == (200, {})
    (news,) = endpoint.keys
    assert news.changed == ("@ann:example.org",)
    assert [(one.user, one.device, one.left) for one in news.counts] == [(BOT, "DEVICE", 7), (BOT, "OTHER", 0)]


async def test_keys_are_stored_before_they_are_acknowledged(
    http: aiohttp.ClientSession, endpoint: Endpoint
) -> None:
    endpoint.key_failures = 2
    body = {"events": events(1), "to_device": TO_DEVICE}
    for _ in range(2):
        assert (await put(http, PATH, body))[0] == 500
    assert endpoint.sink.event_ids == []
    assert await put(http, PATH, body) == (200, {})
    assert endpoint.sink.event_ids == ["$event1"]
    assert [len(news.messages) for news in endpoint.keys] == [2]


async def test_a_database_that_is_away_is_a_500_and_a_later_try_succeeds(
    http: aiohttp.ClientSession, endpoint: Endpoint
) -> None:
    endpoint.inbox.failures = 2
    for _ in range(2):
        status, answer = await put(http, PATH, {"events": events(1), "ephemeral": EPHEMERAL})
        assert status == 500
        assert answer["errcode"] == "M_UNKNOWN"
    assert endpoint.sink.events == []
    assert await put(http, PATH, {"events": events(1), "ephemeral": EPHEMERAL}) == (200, {})
    assert endpoint.sink.event_ids == ["$event1"]
    assert len(endpoint.sink.ephemeral) == 4


async def test_events_of_a_commit_whose_answer_was_lost_are_handed_over(
    http: aiohttp.ClientSession, endpoint: Endpoint
) -> None:
    assert await put(http, "/transactions/0", {"events": events(0)}) == (200, {})
    endpoint.inbox.failures, endpoint.inbox.loses_answers = 1, True
    assert (await put(http, PATH, {"events": events(1, 2)}))[0] == 500
    assert await put(http, PATH, {"events": events(1, 2)}) == (200, {})
    assert await put(http, "/transactions/2", {"events": events(3)}) == (200, {})
    assert endpoint.sink.event_ids == ["$event0", "$event1", "$event2", "$event3"]


async def test_a_transaction_that_was_left_behind_is_asked_for(
    http: aiohttp.ClientSession, endpoint: Endpoint
) -> None:
    assert await put(http, "/transactions/1", {"events": events(1)}) == (200, {})
    assert (await put(http, "/transactions/3", {"events": events(3)}))[0] == 503
    assert await put(http, "/transactions/2", {"events": events(2)}) == (200, {})
    assert await put(http, "/transactions/3", {"events": events(3)}) == (200, {})
    assert endpoint.sink.event_ids == ["$event1", "$event2", "$event3"]


async def test_concurrent_deliveries_are_handled_once_and_in_order(
    http: aiohttp.ClientSession, endpoint: Endpoint
) -> None:
    bodies = [{"events": events(*range(n * 50, n * 50 + 50), room=f"!room{n % 2}")} for n in range(4)]
    answers = await asyncio.gather(*(put(http, f"/transactions/{n % 4}", bodies[n % 4]) for n in range(20)))
    assert answers == [(200, {})] * 20
    assert len(endpoint.sink.events) == 200
    assert endpoint.sink.seqs == sorted(endpoint.sink.seqs)


async def test_a_sink_that_raises_once_loses_only_that_event(
    http: aiohttp.ClientSession, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = endpoint.sink.on_mx_event

    def fail_at_two(event: Any, seq: Any) -> None:
        if event.origin.event_id == "$event2":
            raise ZeroDivisionError
        tell(event, seq)

    monkeypatch.setattr(endpoint.sink, "on_mx_event", fail_at_two)
    assert (await put(http, PATH, {"events": events(1, 2, 3)}))[0] == 500
    assert await put(http, PATH, {"events": events(1, 2, 3)}) == (200, {})
    assert endpoint.sink.event_ids == ["$event1", "$event3"]


async def test_a_malformed_event_is_logged_by_id_only(
    http: aiohttp.ClientSession, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [5, {"event_id": "$bad\nid", "content": {"body": "secret"}}, {**events(9)[0], "content": ["secret"]}]
    assert await put(http, PATH, {"events": [*bad, *events(1)]}) == (200, {})
    assert endpoint.sink.event_ids == ["$event1"]
    assert len(caplog.records) == 3
    assert "$bad\\nid" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("body", "errcode"),
    [(b"", "M_NOT_JSON"), (b"{", "M_NOT_JSON"), (b"[]", "M_BAD_JSON"), (b'{"events": 5}', "M_BAD_JSON")],
)
async def test_bad_bodies(http: aiohttp.ClientSession, body: bytes, errcode: str) -> None:
    async with http.put(PATH, data=body) as response:
        assert response.status == 400
        assert (await response.json())["errcode"] == errcode


async def test_a_body_beyond_the_limit(http: aiohttp.ClientSession, endpoint: Endpoint) -> None:
    async with http.put(PATH, data=BytesIO(b" " * (endpoint.max_body_bytes + 1))) as response:
        assert response.status == 413
        assert (await response.json())["errcode"] == "M_TOO_LARGE"
    assert await put(http, PATH, {"events": events(1)}) == (200, {})


async def test_a_broken_compressed_body_is_the_senders_fault(http: aiohttp.ClientSession) -> None:
    async with http.put(PATH, data=b"not compressed", headers={"Content-Encoding": "gzip"}) as response:
        assert response.status == 400


@pytest.mark.parametrize("txn_id", ["%00", "a" * 256, "%ED%A0%80" * 100])
async def test_transaction_ids_no_database_can_hold(
    appservice: AppService, http: aiohttp.ClientSession, txn_id: str
) -> None:
    url = URL(f"http://127.0.0.1:{appservice.port}/transactions/{txn_id}", encoded=True)
    async with http.put(url, json={"events": []}) as response:
        assert response.status == 400
        assert (await response.json())["errcode"] == "M_INVALID_PARAM"


@pytest.mark.parametrize("path", ["", "/_matrix/app/v1"])
async def test_queries(path: str, http: aiohttp.ClientSession) -> None:
    for user, status in (
        (BOT, 200),
        ("@whatsapp_1:example.org", 200),
        ("@ann:example.org", 404),
        ("@boom:a", 500),
    ):
        async with http.get(f"{path}/users/{quote(user, safe='')}") as response:
            assert response.status == status
            assert (await response.json()).get("errcode") == {404: "M_NOT_FOUND", 500: "M_UNKNOWN"}.get(status)
    async with http.get(f"{path}/rooms/{quote('#a:example.org', safe='')}") as response:
        assert response.status == 404
        assert (await response.json())["errcode"] == "M_NOT_FOUND"


async def test_ping(http: aiohttp.ClientSession) -> None:
    async with http.post("/_matrix/app/v1/ping", json={"transaction_id": "1"}) as response:
        assert response.status == 200
        assert await response.json() == {}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("PUT", "/_matrix/app/v1/nothing", 404),
        ("GET", "/_matrix/app/v1/thirdparty/protocol/whatsapp", 404),
        ("GET", PATH, 405),
        ("POST", "/_matrix/mau/live", 405),
    ],
)
@pytest.mark.parametrize("token", [TOKEN, ""])
async def test_unknown_paths(http: aiohttp.ClientSession, method: str, path: str, status: int, token: str) -> None:
    async with http.request(method, path, headers={"Authorization": f"Bearer {token}"}) as response:
        assert response.status == status
        assert (await response.json())["errcode"] == "M_UNRECOGNIZED"


async def test_supervisors_need_no_token(http: aiohttp.ClientSession, endpoint: Endpoint) -> None:
    async with http.get("/_matrix/mau/live", headers={"Authorization": ""}) as response:
        assert response.status == 200
    async with http.get("/_matrix/mau/ready", headers={"Authorization": ""}) as response:
        assert (response.status, await response.json()) == (200, {"ready": True, "waiting_for": []})
    endpoint.unready += ["homeserver", "database"]
    async with http.get("/_matrix/mau/ready", headers={"Authorization": ""}) as response:
        assert response.status == 500
        assert await response.json() == {"ready": False, "waiting_for": ["homeserver", "database"]}


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        (f"Bearer {TOKEN}", None, 200),
        (f"bearer {TOKEN}", None, 200),
        (None, TOKEN, 200),
        (f"Bearer {TOKEN}", "wrong", 200),
        ("Bearer wrong", TOKEN, 403),
        ("Bearer wrong", None, 403),
        ("Bearer ", None, 403),
        (None, "wrong", 403),
        (None, TOKEN + "x", 403),
        (None, "\ud800", 403),
        (None, None, 401),
        (f"Basic {TOKEN}", None, 401),
    ],
)
async def test_only_the_homeserver_gets_in(
    http: aiohttp.ClientSession, endpoint: Endpoint, header: str | None, query: str | None, status: int
) -> None:
    headers = {"Authorization": header or ""}
    path = PATH if query is None else f"{PATH}?access_token={quote(query, errors='surrogatepass')}"
    async with http.put(path, json={"events": events(1)}, headers=headers) as response:
        assert response.status == status
        assert (await response.json()).get("errcode") == {401: "M_MISSING_TOKEN", 403: "M_FORBIDDEN"}.get(status)
    assert bool(endpoint.sink.events) == (status == 200)


async def test_neither_token_nor_content_reaches_the_log(
    http: aiohttp.ClientSession, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.inbox.failures = 1
    secret = quote(TOKEN)
    for path in (
        f"{PATH}?access_token={secret}",
        f"/nothing?access_token={secret}",
        f"/users/@boom:a?access_token={secret}",
    ):
        for method in ("PUT", "GET"):
            async with http.request(method, path, json={"events": events(1), "text": "content"}) as response:
                await response.read()
    ours = [record for record in caplog.records if not record.name.startswith("asyncio")]
    text = " ".join(logging.Formatter().format(record) for record in ours)
    assert "failed" in text
    assert secret not in text
    assert TOKEN not in text
    assert "content" not in text


async def test_a_port_in_use_is_named_with_the_mend(endpoint: Endpoint) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartupError, match=f"port {port}") as caught:
            await endpoint.create().start("127.0.0.1", port)
    assert caught.value.code is ExitCode.LISTENER
    assert "appservice.port" in caught.value.mend


async def test_an_address_that_is_not_ours_is_named(endpoint: Endpoint) -> None:
    with pytest.raises(StartupError, match=r"203\.0\.113\.1") as caught:
        await endpoint.create().start("203.0.113.1", 0)
    assert caught.value.code is ExitCode.LISTENER


async def test_stopping_finishes_the_requests_under_way(
    appservice: AppService, http: aiohttp.ClientSession, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()
    add = endpoint.inbox.add_transaction

    async def wait_first(txn_id: MxTxnId, new: list[MxStored]) -> Any:
        entered.set()
        await go_on.wait()
        return await add(txn_id, new)

    monkeypatch.setattr(endpoint.inbox, "add_transaction", wait_first)
    request = asyncio.create_task(put(http, PATH, {"events": events(1)}))
    await entered.wait()
    port = appservice.port
    stopping = asyncio.create_task(appservice.stop())
    while await _answers(port):
        await asyncio.sleep(0)
    go_on.set()
    assert await request == (200, {})
    await stopping
    assert endpoint.sink.event_ids == ["$event1"]


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_what_an_earlier_run_left_is_handed_over_before_anything_new(endpoint: Endpoint) -> None:
    first = endpoint.create()
    await first.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        url = f"http://127.0.0.1:{first.port}/transactions/1"
        assert await put(http, url, {"events": events(1, 2, 3)}) == (200, {})
    await first.stop()
    await endpoint.inbox.mark_handled(endpoint.sink.seqs[0])

    later = Endpoint(inbox=endpoint.inbox)
    second = later.create()
    await second.start("127.0.0.1", 0)
    assert later.sink.event_ids == ["$event2", "$event3"]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        url = f"http://127.0.0.1:{second.port}/transactions/"
        assert await put(http, f"{url}1", {"events": events(1, 2, 3)}) == (200, {})
        assert await put(http, f"{url}2", {"events": events(3, 4)}) == (200, {})
    assert later.sink.event_ids == ["$event2", "$event3", "$event4"]
    await second.stop()


async def test_a_sender_that_hangs_up_in_the_middle_disturbs_nobody(
    appservice: AppService, http: aiohttp.ClientSession, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", appservice.port)
        head = (
            f"PUT /transactions/1?access_token={quote(TOKEN)} HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n{{"
        )
        writer.write(head.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
    assert await put(http, PATH, {"events": events(1)}) == (200, {})
    assert endpoint.sink.event_ids == ["$event1"]
    assert not [record for record in caplog.records if record.name.startswith("mautrix_whatsapp_py")]
