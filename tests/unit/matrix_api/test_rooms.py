from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.http import RetryingHttp
from mautrix_whatsapp_py.matrix.rooms import HttpMatrixRooms
from mautrix_whatsapp_py.model.levels import CREATOR_LEVEL
from tests.unit.matrix_api.conftest import BOT, Answer, ScriptedServer

ROOM = MxRoomId("!r:x")
ANN, BEN = MxUserId("@ann:x"), MxUserId("@ben:x")
R = "/_matrix/client/v3/rooms/%21r%3Ax"
LEVELS = f"{R}/state/m.room.power_levels"
CREATE = f"{R}/state/m.room.create/"
FORBIDDEN = Answer(status=403, content={"errcode": "M_FORBIDDEN"})


@pytest.fixture
def rooms(http: RetryingHttp) -> HttpMatrixRooms:
    return HttpMatrixRooms(http, bot=BOT)


async def test_levels_come_with_their_defaults(server: ScriptedServer, rooms: HttpMatrixRooms) -> None:
    server.script(
        "GET",
        LEVELS,
        Answer(content={"users": {ANN: 50, BEN: "x"}, "events": {"m.bridge": 40}, "users_default": 5}),
    )
    levels = await rooms.fetch_levels(ROOM)
    assert (levels.of(ANN), levels.of(BEN)) == (50, 5)
    assert (levels.needed_for("m.bridge"), levels.needed_for("m.room.name")) == (40, 50)


@pytest.mark.parametrize(("version", "level"), [("12", CREATOR_LEVEL), ("11", 0), ("org.odd", 0), (None, 0)])
async def test_creators_stand_above_levels_from_version_12_on(
    server: ScriptedServer, rooms: HttpMatrixRooms, version: str | None, level: int
) -> None:
    content = {"room_version": version, "additional_creators": [BEN, 7]}
    server.script("GET", CREATE, Answer(content={"sender": ANN, "content": content}))
    levels = await rooms.fetch_levels(ROOM)
    assert (levels.of(ANN), levels.of(BEN)) == (level, level)
    assert server.seen_at(CREATE)[0].query == {"user_id": BOT, "format": "event"}


async def test_what_is_not_to_be_seen_is_empty(server: ScriptedServer, rooms: HttpMatrixRooms) -> None:
    for path in (LEVELS, CREATE, f"{R}/state/m.room.name"):
        server.script("GET", path, FORBIDDEN)
    assert (await rooms.fetch_levels(ROOM)).of(ANN) == 0
    assert await rooms.fetch_name(ROOM) == ""
    server.script("GET", LEVELS, Answer(status=400, content={"errcode": "M_BAD"}))
    with pytest.raises(MatrixRefused):
        await rooms.fetch_levels(ROOM)


async def test_a_level_is_set_and_the_rest_stays(server: ScriptedServer, rooms: HttpMatrixRooms) -> None:
    server.script("GET", LEVELS, Answer(content={"users": {ANN: 100}, "ban": 60}))
    await rooms.set_level(ROOM, BEN, 50)
    (put,) = [one for one in server.seen if one.method == "PUT"]
    assert put.content == {"users": {ANN: 100, BEN: 50}, "ban": 60}


async def test_aliases_go_one_by_one(server: ScriptedServer, rooms: HttpMatrixRooms) -> None:
    server.script("GET", f"{R}/aliases", Answer(content={"aliases": ["#a:x", "#b:x"]}))
    server.script("DELETE", "/_matrix/client/v3/directory/room/%23a%3Ax", FORBIDDEN)
    await rooms.remove_aliases(ROOM)
    gone = [one.path for one in server.seen if one.method == "DELETE"]
    assert gone == ["/_matrix/client/v3/directory/room/%23a%3Ax", "/_matrix/client/v3/directory/room/%23b%3Ax"]


async def test_whom_the_bot_may_not_remove_stays(server: ScriptedServer, rooms: HttpMatrixRooms) -> None:
    server.script("POST", f"{R}/kick", FORBIDDEN)
    await rooms.remove_from(ROOM, ANN, reason="over")
    assert server.seen_at(f"{R}/kick")[0].content == {"user_id": ANN, "reason": "over"}
    server.script("POST", f"{R}/kick", Answer(status=400, content={"errcode": "M_BAD"}))
    with pytest.raises(MatrixRefused):
        await rooms.remove_from(ROOM, ANN, reason="over")


async def test_a_direct_room_and_the_rooms_of_the_bot(server: ScriptedServer, rooms: HttpMatrixRooms) -> None:
    server.script("POST", "/_matrix/client/v3/createRoom", Answer(content={"room_id": "!new:x"}))
    assert await rooms.create_direct_room(ANN, name="Bot") == "!new:x"
    (made,) = server.seen_at("/_matrix/client/v3/createRoom")
    assert (made.content["invite"], made.content["is_direct"]) == ([ANN], True)
    server.script("GET", "/_matrix/client/v3/joined_rooms", Answer(content={"joined_rooms": ["!a:x"]}))
    assert await rooms.fetch_joined_rooms() == ("!a:x",)
