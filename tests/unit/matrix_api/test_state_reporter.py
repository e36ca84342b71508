"""What the status endpoint is told of links."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession

from mautrix_whatsapp_py.ids import LoginId, MxUserId, WaJid
from mautrix_whatsapp_py.matrix.state_reporter import EndpointReporter, SilentReporter, encode_state
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from tests.unit.matrix_api.conftest import Answer, ImpatientClock, ScriptedServer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICE, BOB = MxUserId("@alice:localhost"), MxUserId("@bob:localhost")
PATH = "/status"
S = WaStateKind


def login_of(number: str = "14155550001") -> Login:
    jid = WaJid(user=number, server="s.whatsapp.net")
    return Login(id=LoginId(number), user=ALICE, jid=jid, linked_at=NOON)


def state_of(kind: WaStateKind, error: str = "", *, minute: int = 0) -> WaState:
    since = NOON + timedelta(minutes=minute)
    return WaState(kind=kind, since=since, error=error, message="A sentence." if error else "")


@pytest.fixture
async def reporter(server: ScriptedServer, clock: ImpatientClock) -> AsyncIterator[EndpointReporter]:
    async with ClientSession() as session:
        reporter = EndpointReporter(session=session, endpoint=server.url + PATH, token="as-token", clock=clock)
        yield reporter
        await reporter.stop()


async def settle(reporter: EndpointReporter) -> None:
    async with asyncio.timeout(10):
        while reporter._tasks:
            await asyncio.gather(*reporter._tasks)


def told(server: ScriptedServer) -> list[str]:
    return [one.content["state_event"] for one in server.seen_at(PATH)]


async def test_the_form(reporter: EndpointReporter, server: ScriptedServer) -> None:
    reporter.publish_state(ALICE, login_of(), state_of(S.BAD_CREDENTIALS, "wa-logged-out"))
    await settle(reporter)
    (seen,) = server.seen_at(PATH)
    assert (seen.method, seen.token) == ("POST", "Bearer as-token")
    assert seen.content == {
        "state_event": "BAD_CREDENTIALS",
        "timestamp": int(NOON.timestamp()),
        "ttl": 3600,
        "source": "bridge",
        "user_id": ALICE,
        "remote_id": "14155550001",
        "remote_name": "+14155550001",
        "error": "wa-logged-out",
        "message": "A sentence.",
        "user_action": "RELOGIN",
    }


@pytest.mark.parametrize(
    ("state", "ttl", "needs_login"),
    [
        (state_of(S.CONNECTED), 21600, False),
        (state_of(S.CONNECTED, "wa-phone-offline"), 21600, False),
        (state_of(S.CONNECTING, "wa-connecting"), 3600, False),
        (state_of(S.BAD_CREDENTIALS, "wa-temporary-ban"), 3600, False),
        (state_of(S.UNKNOWN_ERROR, "wa-stream-replaced"), 3600, False),
        (state_of(S.LOGGED_OUT), 3600, True),
    ],
)
def test_how_long_a_state_lasts(state: WaState, ttl: int, needs_login: bool) -> None:
    report = encode_state(ALICE, login_of(), state)
    assert report["ttl"] == ttl
    assert ("user_action" in report) == needs_login
    assert ("error" in report) == bool(state.error)


async def test_an_unchanged_state_is_told_once(reporter: EndpointReporter, server: ScriptedServer) -> None:
    for minute in range(3):
        reporter.publish_state(ALICE, login_of(), state_of(S.CONNECTED, minute=minute))
        await settle(reporter)
    assert told(server) == ["CONNECTED"]


async def test_what_is_outdated_before_it_could_be_told_is_not_told(
    reporter: EndpointReporter, server: ScriptedServer
) -> None:
    for kind in (S.STARTING, S.CONNECTING, S.CONNECTED):
        reporter.publish_state(ALICE, login_of(), state_of(kind))
    await settle(reporter)
    assert told(server) == ["CONNECTED"]


async def test_links_and_their_owners_do_not_hide_each_other(
    reporter: EndpointReporter, server: ScriptedServer
) -> None:
    reporter.publish_state(ALICE, login_of("1415555"), state_of(S.CONNECTED))
    reporter.publish_state(ALICE, login_of("1415666"), state_of(S.CONNECTED))
    reporter.publish_state(ALICE, login_of("1415555"), state_of(S.LOGGED_OUT))
    reporter.publish_state(BOB, login_of("1415555"), state_of(S.CONNECTED))
    await settle(reporter)
    assert {
        (one.content["user_id"], one.content["remote_id"], one.content["state_event"])
        for one in server.seen_at(PATH)
    } == {(ALICE, "1415555", "LOGGED_OUT"), (ALICE, "1415666", "CONNECTED"), (BOB, "1415555", "CONNECTED")}


@pytest.mark.parametrize("failure", [Answer(status=500), Answer(status=404), Answer(status=None)], ids=repr)
async def test_what_was_not_taken_is_told_again_with_growing_delays(
    reporter: EndpointReporter, server: ScriptedServer, clock: ImpatientClock, failure: Answer
) -> None:
    server.script("POST", PATH, failure, failure, Answer())
    reporter.publish_state(ALICE, login_of(), state_of(S.CONNECTED))
    await settle(reporter)
    assert told(server) == ["CONNECTED"] * 3
    first, second = clock.slept
    assert 1.5 <= first <= 2.5
    assert 3 <= second <= 5


async def test_a_newer_state_takes_the_place_of_one_nobody_takes(
    reporter: EndpointReporter, server: ScriptedServer
) -> None:
    server.script("POST", PATH, Answer(status=503), Answer())
    reporter.publish_state(ALICE, login_of(), state_of(S.CONNECTING))
    async with asyncio.timeout(10):
        while not server.seen_at(PATH):
            await asyncio.sleep(0)
    reporter.publish_state(ALICE, login_of(), state_of(S.CONNECTED))
    await settle(reporter)
    assert told(server) == ["CONNECTING", "CONNECTED"]


async def test_an_endpoint_that_never_takes_anything_is_given_up(
    reporter: EndpointReporter, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("POST", PATH, Answer(status=500))
    reporter.publish_state(ALICE, login_of(), state_of(S.CONNECTED))
    await settle(reporter)
    assert len(told(server)) == 6
    assert "did not take the state of login …0001" in caplog.text
    assert "14155550001" not in caplog.text
    server.script("POST", PATH, Answer())
    reporter.publish_state(ALICE, login_of(), state_of(S.CONNECTED))
    await settle(reporter)
    assert len(told(server)) == 7


async def test_after_the_end_nothing_is_told(reporter: EndpointReporter, server: ScriptedServer) -> None:
    await reporter.stop()
    reporter.publish_state(ALICE, login_of(), state_of(S.CONNECTED))
    assert not reporter._tasks
    assert told(server) == []


def test_where_nobody_asks_nothing_is_told() -> None:
    SilentReporter().publish_state(ALICE, login_of(), state_of(S.CONNECTED))
