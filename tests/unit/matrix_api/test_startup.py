from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from mautrix_whatsapp_py.matrix.startup import StartupQuestions, require_homeserver, require_ping
from tests.unit.matrix_api.conftest import BOT, Answer, ImpatientClock, ScriptedServer

VERSIONS = "/_matrix/client/versions"
REGISTER = "/_matrix/client/v3/register"
WHOAMI = "/_matrix/client/v3/account/whoami"
PING = "/_matrix/client/v1/appservice/whatsapp/ping"
GOOD = Answer(content={"versions": ["r0.6.1", "v1.4", "v1.11"]})


@pytest.fixture
def hasty(http: RetryingHttp) -> HttpMatrixApi:
    return HttpMatrixApi(
        http.with_patience(Patience(retry_limit=0, attempt_seconds=5)), bot=BOT, appservice_id="whatsapp"
    )


def questions(server: ScriptedServer, *, is_lenient: bool = False) -> StartupQuestions:
    return StartupQuestions(
        homeserver_address=server.url,
        bridge_address="http://bridge:29318",
        ignores_unsupported_server=is_lenient,
        tries=3,
    )


async def refused(server: ScriptedServer, api: HttpMatrixApi) -> StartupError:
    with pytest.raises(StartupError) as caught:
        await require_homeserver(api, questions(server), ImpatientClock())
    assert caught.value.mend
    return caught.value


async def test_a_homeserver_that_is_well(server: ScriptedServer, hasty: HttpMatrixApi) -> None:
    server.script("GET", VERSIONS, Answer(status=502), Answer(status=None), GOOD)
    server.script("GET", WHOAMI, Answer(content={"user_id": BOT}))
    info = await require_homeserver(hasty, questions(server), ImpatientClock())
    assert "v1.11" in info.versions


async def test_a_homeserver_that_is_down(
    server: ScriptedServer, hasty: HttpMatrixApi, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("GET", VERSIONS, Answer(status=None))
    error = await refused(server, hasty)
    assert error.code is ExitCode.HOMESERVER_UNREACHABLE
    assert str(error) == (
        f"The homeserver at {server.url} did not answer in 3 tries: start it, or correct homeserver.address"
    )
    assert "try 2 of 3" in caplog.text


@pytest.mark.parametrize("path", [VERSIONS, REGISTER, WHOAMI])
async def test_a_token_the_homeserver_does_not_know(
    server: ScriptedServer, hasty: HttpMatrixApi, path: str
) -> None:
    server.script("GET", VERSIONS, GOOD)
    unknown = Answer(status=401, content={"errcode": "M_UNKNOWN_TOKEN", "error": ""})
    server.script("POST" if path == REGISTER else "GET", path, unknown)
    error = await refused(server, hasty)
    assert error.code is ExitCode.TOKEN_REFUSED
    assert "registration.yaml" in error.mend


async def test_a_bot_that_is_not_ours(server: ScriptedServer, hasty: HttpMatrixApi) -> None:
    server.script("GET", VERSIONS, GOOD)
    server.script("POST", REGISTER, Answer(status=400, content={"errcode": "M_EXCLUSIVE", "error": ""}))
    error = await refused(server, hasty)
    assert error.code is ExitCode.WRONG_USER
    assert BOT in str(error)


async def test_a_homeserver_that_takes_us_for_another(server: ScriptedServer, hasty: HttpMatrixApi) -> None:
    server.script("GET", VERSIONS, GOOD)
    server.script("GET", WHOAMI, Answer(content={"user_id": "@other:localhost"}))
    error = await refused(server, hasty)
    assert error.code is ExitCode.WRONG_USER
    assert "@other:localhost" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404, text="<html>"),
        Answer(text="<html>"),
        Answer(content={}),
        Answer(content={"versions": 1}),
    ],
)
async def test_what_is_no_homeserver(server: ScriptedServer, hasty: HttpMatrixApi, answer: Answer) -> None:
    server.script("GET", VERSIONS, answer)
    error = await refused(server, hasty)
    assert error.code is ExitCode.SERVER_UNSUPPORTED


OLD = [["r0.6.1"], ["v1.3"], ["v1.1", "v1.2"], [], ["nonsense"]]


@pytest.mark.parametrize("versions", OLD)
async def test_a_homeserver_that_is_too_old(
    server: ScriptedServer, hasty: HttpMatrixApi, versions: list[str]
) -> None:
    server.script("GET", VERSIONS, Answer(content={"versions": versions}))
    error = await refused(server, hasty)
    assert error.code is ExitCode.SERVER_UNSUPPORTED
    assert "--ignore-unsupported-server" in error.mend


async def test_an_old_homeserver_may_be_tried(server: ScriptedServer, hasty: HttpMatrixApi) -> None:
    server.script("GET", VERSIONS, Answer(content={"versions": ["v1.1"]}))
    server.script("GET", WHOAMI, Answer(content={"user_id": BOT}))
    info = await require_homeserver(hasty, questions(server, is_lenient=True), ImpatientClock())
    assert info.versions == ("v1.1",)


async def test_a_homeserver_that_cannot_reach_the_bridge(server: ScriptedServer, hasty: HttpMatrixApi) -> None:
    server.script("POST", PING, Answer(status=502, content={"errcode": "M_CONNECTION_FAILED", "error": "refused"}))
    with pytest.raises(StartupError) as caught:
        await require_ping(hasty, questions(server))
    assert caught.value.code is ExitCode.PING_FAILED
    assert server.url in str(caught.value)
    assert "http://bridge:29318" in str(caught.value)
    assert "M_CONNECTION_FAILED" in str(caught.value)


async def test_a_homeserver_that_knows_no_ping_is_used_all_the_same(
    server: ScriptedServer, hasty: HttpMatrixApi, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("POST", PING, Answer(status=404, content={"errcode": "M_UNRECOGNIZED"}))
    await require_ping(hasty, questions(server))
    assert "cannot test the connection" in caplog.text


async def test_a_connection_the_homeserver_had_kept_to_a_bridge_that_died_is_no_reason_to_stop(
    hasty: HttpMatrixApi, server: ScriptedServer
) -> None:
    lost = Answer(status=502, content={"errcode": "M_CONNECTION_FAILED"})
    server.script("POST", PING, lost, lost, Answer(content={"duration_ms": 1}))
    await require_ping(hasty, questions(server))
    assert len(server.seen_at(PING)) == 3
