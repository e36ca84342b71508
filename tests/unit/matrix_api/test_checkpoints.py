"""What the checkpoint endpoint is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId
from mautrix_whatsapp_py.matrix.checkpoints import MAX_AT_ONCE, EndpointCheckpoints, SilentCheckpoints
from mautrix_whatsapp_py.model.mx import MxCheckpoint, MxStep, MxStepStatus
from tests.unit.matrix_api.conftest import Answer, ImpatientClock, ScriptedServer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATH = "/checkpoints"


def checkpoint(number: int, *, info: str = "") -> MxCheckpoint:
    return MxCheckpoint(
        event_id=MxEventId(f"${number}"),
        room_id=MxRoomId("!r"),
        kind="m.room.message",
        step=MxStep.REMOTE,
        status=MxStepStatus.PERM_FAILURE if info else MxStepStatus.SUCCESS,
        at=NOON,
        info=info,
    )


@pytest.fixture
async def checkpoints(server: ScriptedServer, clock: ImpatientClock) -> AsyncIterator[EndpointCheckpoints]:
    async with ClientSession() as session:
        made = EndpointCheckpoints(session=session, endpoint=server.url + PATH, token="as-token", clock=clock)
        yield made
        await made.stop()


async def settle(checkpoints: EndpointCheckpoints) -> None:
    async with asyncio.timeout(10):
        while checkpoints._tasks:
            await asyncio.gather(*checkpoints._tasks)


async def test_the_form(checkpoints: EndpointCheckpoints, server: ScriptedServer) -> None:
    checkpoints.publish(checkpoint(1, info="A sentence."))
    await settle(checkpoints)
    (seen,) = server.seen_at(PATH)
    assert (seen.method, seen.token) == ("POST", "Bearer as-token")
    assert seen.content == {
        "checkpoints": [
            {
                "event_id": "$1",
                "room_id": "!r",
                "step": "REMOTE",
                "timestamp": int(NOON.timestamp() * 1000),
                "status": "PERM_FAILURE",
                "event_type": "m.room.message",
                "reported_by": "BRIDGE",
                "retry_num": 0,
                "info": "A sentence.",
            }
        ]
    }


async def test_many_go_together_in_their_order_and_again_when_they_were_not_taken(
    checkpoints: EndpointCheckpoints, server: ScriptedServer, clock: ImpatientClock
) -> None:
    server.script("POST", PATH, Answer(status=502), Answer(status=None), Answer())
    for number in range(MAX_AT_ONCE + 5):
        checkpoints.publish(checkpoint(number))
    await settle(checkpoints)
    taken = [one["event_id"] for seen in server.seen[2:] for one in seen.content["checkpoints"]]
    assert taken == [f"${number}" for number in range(MAX_AT_ONCE + 5)]
    assert clock.slept


async def test_what_is_never_taken_is_given_up(checkpoints: EndpointCheckpoints, server: ScriptedServer) -> None:
    server.script("POST", PATH, Answer(status=500))
    checkpoints.publish(checkpoint(1))
    await settle(checkpoints)
    tries = len(server.seen)
    server.script("POST", PATH, Answer())
    checkpoints.publish(checkpoint(2))
    await settle(checkpoints)
    assert [one["event_id"] for seen in server.seen[tries:] for one in seen.content["checkpoints"]] == ["$2"]


def test_where_nobody_asks_nothing_happens() -> None:
    SilentCheckpoints().publish(checkpoint(1))
