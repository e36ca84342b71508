from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from mautrix_whatsapp_py.matrix.startup import (
    Patient,
    StartupQuestions,
    require_homeserver,
    require_ping,
    tell_ping,
)
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
    )


class Watch:
    """Counts the waits, and gives up where the bridge would not."""

    def __init__(self, most: int = 50) -> None:
        self.waits = 0
        self._most = most
        self.patient = Patient(clock=ImpatientClock(), on_wait=self._note)

    async def _note(self) -> None:
        self.waits += 1
        if self.waits == self._most:
            raise TimeoutError


@pytest.fixture
def watch() -> Watch:
    return Watch()


async def ping(api: HttpMatrixApi, server: ScriptedServer, watch: Watch, *, has_come: bool = False) -> None:
    await require_ping(api, questions(server), watch.patient, is_reached=lambda: has_come)


async def refused(server: ScriptedServer, api: HttpMatrixApi) -> StartupError:
    with pytest.raises(StartupError) as caught:
        await require_homeserver(api, questions(server), Watch().patient)
    assert caught.value.mend
    return caught.value


AWAY = [Answer(status=None), *(Answer(status=status) for status in (502, 503, 500, 429, 504))]


async def test_a_homeserver_that_is_away_is_waited_for(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("GET", VERSIONS, *AWAY, *AWAY, *AWAY, GOOD)
    server.script("POST", REGISTER, *AWAY, Answer())
    server.script("GET", WHOAMI, *AWAY, Answer(content={"user_id": BOT}))
    info = await require_homeserver(hasty, questions(server), watch.patient)
    assert "v1.11" in info.versions
    assert watch.waits >= 15  # a dropped connection that was kept is tried again beneath us
    assert f"the homeserver at {server.url} does not answer (502); trying again in" in caplog.text
    assert "correct homeserver.address" in caplog.text


async def test_a_homeserver_that_is_well_is_not_waited_for(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch
) -> None:
    server.script("GET", VERSIONS, GOOD)
    server.script("GET", WHOAMI, Answer(content={"user_id": BOT}))
    server.script("POST", PING, Answer(content={"duration_ms": 1}))
    await require_homeserver(hasty, questions(server), watch.patient)
    await ping(hasty, server, watch)
    assert watch.waits == 0


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
    info = await require_homeserver(hasty, questions(server, is_lenient=True), Watch().patient)
    assert info.versions == ("v1.1",)


UNREACHED = [
    Answer(status=502, content={"errcode": "M_CONNECTION_FAILED", "error": "refused"}),
    Answer(status=504, content={"errcode": "M_CONNECTION_TIMEOUT", "error": ""}),
    Answer(status=502, content={"errcode": "M_BAD_STATUS", "error": "", "status": 503}),
    Answer(status=502, text="<html>"),
    Answer(status=None),
]


async def test_a_homeserver_that_cannot_reach_the_bridge_yet_is_waited_for(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections to a bridge that was killed, a homeserver under load, one behind a proxy: none is for ever."""
    server.script("POST", PING, *UNREACHED, *UNREACHED, *UNREACHED, Answer(content={"duration_ms": 1}))
    await ping(hasty, server, watch)
    assert watch.waits == 3 * len(UNREACHED)
    told = (
        f"the homeserver at {server.url} cannot reach the bridge at http://bridge:29318 (502 M_CONNECTION_FAILED)"
    )
    assert told in caplog.text
    assert "registration.yaml" in caplog.text


async def test_a_ping_that_came_counts_whatever_the_homeserver_says(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch
) -> None:
    server.script("POST", PING, UNREACHED[0])
    await ping(hasty, server, watch, has_come=True)
    assert watch.waits == 0
    server.script("POST", PING, Answer(status=502, text="<html>"), Answer())
    await ping(hasty, server, watch, has_come=True)
    assert watch.waits == 1


async def test_a_first_ping_on_a_dead_connection_is_nothing_to_tell_of(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("POST", PING, UNREACHED[0], UNREACHED[0], Answer(content={"duration_ms": 1}))
    await ping(hasty, server, watch)
    assert "cannot reach" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "code", "mend"),
    [
        (Answer(status=401, content={"errcode": "M_UNKNOWN_TOKEN"}), ExitCode.TOKEN_REFUSED, "as_token"),
        (Answer(status=403, content={"errcode": "M_FORBIDDEN"}), ExitCode.PING_FAILED, "appservice.address"),
        (Answer(status=400, content={"errcode": "M_URL_NOT_SET"}), ExitCode.PING_FAILED, "registration.yaml"),
        *(
            (
                Answer(status=502, content={"errcode": "M_BAD_STATUS", "error": "", "status": status}),
                ExitCode.PING_FAILED,
                "hs_token",
            )
            for status in (401, 403, 404)
        ),
    ],
)
async def test_a_definite_refusal_of_the_ping(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch, answer: Answer, code: ExitCode, mend: str
) -> None:
    server.script("POST", PING, answer)
    with pytest.raises(StartupError) as caught:
        await ping(hasty, server, watch)
    assert caught.value.code is code
    assert mend in caught.value.mend
    assert watch.waits == 0


async def test_a_homeserver_that_knows_no_ping_is_used_all_the_same(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("POST", PING, Answer(status=404, content={"errcode": "M_UNRECOGNIZED"}))
    await ping(hasty, server, watch)
    assert "cannot test the connection" in caplog.text


async def test_whoever_goes_on_with_what_another_did_only_says_that_it_is_not_reached(
    server: ScriptedServer, hasty: HttpMatrixApi, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("POST", PING, Answer(status=400, content={"errcode": "M_URL_NOT_SET"}))
    await tell_ping(hasty, questions(server), watch.patient, is_reached=lambda: False)
    assert "does not reach the bridge" in caplog.text
    assert "registration.yaml" in caplog.text
