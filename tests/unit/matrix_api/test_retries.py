from __future__ import annotations

import logging

import pytest
from mautrix.api import Method

from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from tests.unit.matrix_api.conftest import TOKEN, Answer, ImpatientClock, ScriptedServer

PATH = "/_matrix/client/v3/rooms/%21r%3Ax/send/m.room.message/txn"
DONE = Answer(content={"event_id": "$1"})
LIMITED = Answer(status=429, content={"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2500})


async def put(http: RetryingHttp) -> dict[str, object]:
    return await http.call(Method.PUT, PATH, {"body": "x"}, query={"user_id": "@bot:localhost"})


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 524, None])
async def test_what_may_heal_is_tried_again_as_the_same_request(
    server: ScriptedServer, http: RetryingHttp, status: int | None
) -> None:
    server.script("PUT", PATH, Answer(status=status), Answer(status=status), DONE)
    assert await put(http) == {"event_id": "$1"}
    first, *others = server.seen
    assert len(others) == 2
    assert all(other == first for other in others)
    assert first.token == f"Bearer {TOKEN}"
    assert first.query == {"user_id": "@bot:localhost"}


async def test_the_homeserver_says_how_long_to_wait(
    server: ScriptedServer, http: RetryingHttp, clock: ImpatientClock
) -> None:
    server.script("PUT", PATH, LIMITED, Answer(status=429, headers={"Retry-After": "7"}), DONE)
    await put(http)
    assert clock.slept == [2.5, 7.0]


async def test_delays_grow_without_such_advice(
    server: ScriptedServer, http: RetryingHttp, clock: ImpatientClock
) -> None:
    server.script("PUT", PATH, Answer(status=503), Answer(status=503), Answer(status=503), DONE)
    await put(http)
    first, second, third = clock.slept
    assert 0.3 < first < second < third < 3


@pytest.mark.parametrize("status", [429, 503, None])
async def test_patience_ends(
    server: ScriptedServer, http: RetryingHttp, clock: ImpatientClock, status: int | None
) -> None:
    server.script("PUT", PATH, Answer(status=status, content={"errcode": "M_TIRED"}))
    with pytest.raises(MatrixUnreachable) as caught:
        await put(http)
    assert len(clock.slept) == 3
    assert caught.value.status == (status or 0)


async def test_a_wait_longer_than_the_deadline_is_not_begun(
    server: ScriptedServer, http: RetryingHttp, clock: ImpatientClock
) -> None:
    server.script("PUT", PATH, Answer(status=429, content={"retry_after_ms": 600_000}))
    with pytest.raises(MatrixUnreachable):
        await put(http)
    assert clock.slept == []


async def test_no_answer_is_not_waited_for_without_end(server: ScriptedServer, http: RetryingHttp) -> None:
    server.script("PUT", PATH, Answer(is_late=True))
    hasty = http.with_patience(Patience(retry_limit=1, attempt_seconds=0.05))
    with pytest.raises(MatrixUnreachable):
        await put(hasty)
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 413])
async def test_a_no_is_a_no(server: ScriptedServer, http: RetryingHttp, status: int) -> None:
    server.script("PUT", PATH, Answer(status=status, content={"errcode": "M_FORBIDDEN", "error": "secret"}))
    with pytest.raises(MatrixRefused) as caught:
        await put(http)
    assert (caught.value.status, caught.value.errcode) == (status, "M_FORBIDDEN")
    assert "secret" not in caught.value.text
    assert len(server.seen) == 1


async def test_an_unknown_token_is_worth_another_try_later(server: ScriptedServer, http: RetryingHttp) -> None:
    server.script("PUT", PATH, Answer(status=401, content={"errcode": "M_UNKNOWN_TOKEN", "error": ""}))
    with pytest.raises(MatrixUnreachable) as caught:
        await put(http)
    assert caught.value.status == 401
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(text="<html>"),
        Answer(content=[1]),
        Answer(content=None),
        Answer(status=404, text="<html>"),
        Answer(status=400, content={"errcode": 5, "error": []}),
        Answer(status=400, content="x"),
    ],
)
async def test_what_is_no_homeserver_is_refused(
    server: ScriptedServer, http: RetryingHttp, answer: Answer
) -> None:
    server.script("PUT", PATH, answer)
    with pytest.raises(MatrixRefused):
        await put(http)


async def test_neither_content_nor_token_nor_identity_is_logged(
    server: ScriptedServer, http: RetryingHttp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script("PUT", PATH, Answer(status=503), Answer(status=None), DONE)
    await http.call(Method.PUT, PATH, {"body": "between us"})
    said = "\n".join(record.getMessage() for record in caplog.records if record.name != "asyncio")
    assert "tried again" in said
    for secret in ("between us", TOKEN, "%21r", "!r:x"):
        assert secret not in said
