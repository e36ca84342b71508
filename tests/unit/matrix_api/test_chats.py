"""Rooms of chats, on a homeserver that says what a test wants."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.chats import HttpMatrixChats
from mautrix_whatsapp_py.matrix.encode_room import Identity
from mautrix_whatsapp_py.matrix.http import RetryingHttp
from tests.unit.matrix_api.conftest import BOT, Answer, ScriptedServer

ROOM, GHOST = MxRoomId("!r:x"), MxUserId("@ghost:x")
HERE = "/_matrix/client/v3/rooms/%21r%3Ax"


@pytest.fixture
def chats(http: RetryingHttp) -> HttpMatrixChats:
    return HttpMatrixChats(http, identity=Identity(bot=BOT, domain="x", appservice_id="whatsapp"))


async def test_whoever_is_invited_only_joins(server: ScriptedServer, chats: HttpMatrixChats) -> None:
    await chats.ensure_joined(ROOM, GHOST, is_invited=True)
    (join,) = server.seen
    assert (join.path, join.query) == (f"{HERE}/join", {"user_id": GHOST})


@pytest.mark.parametrize("is_invited", [False, True])
async def test_whoever_is_not_invited_is(
    server: ScriptedServer, chats: HttpMatrixChats, *, is_invited: bool
) -> None:
    refused = Answer(status=403, content={"errcode": "M_FORBIDDEN"})
    server.script("POST", f"{HERE}/join", *([refused, Answer()] if is_invited else [Answer()]))
    await chats.ensure_joined(ROOM, GHOST, is_invited=is_invited)
    *_, invite, join = server.seen
    assert (invite.path, invite.query, invite.content) == (f"{HERE}/invite", {"user_id": BOT}, {"user_id": GHOST})
    assert join.path == f"{HERE}/join"
