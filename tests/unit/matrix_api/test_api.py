from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUri
from mautrix_whatsapp_py.matrix.api import BotProfile, HttpMatrixApi
from mautrix_whatsapp_py.matrix.senders import DEVICE_ID
from mautrix_whatsapp_py.model.mx import MxNotice
from tests.unit.matrix_api.conftest import BOT, Answer, ScriptedServer

C = "/_matrix/client/v3"
ROOM = MxRoomId("!r:x")
SEND = f"{C}/rooms/%21r%3Ax/send/m.room.message/txn%2F1"
DEVICE = f"{C}/devices/{DEVICE_ID}"
AS_BOT = {"user_id": BOT}
WITH_DEVICE = {"user_id": BOT, "device_id": DEVICE_ID}


async def send(api: HttpMatrixApi) -> MxEventId:
    return await api.send_notice(ROOM, MxNotice(body="hello"), sender=BOT, txn_id=MxTxnId("txn/1"))


async def test_a_notice_is_sent_from_a_device_so_that_its_transaction_id_lasts(
    server: ScriptedServer, api: HttpMatrixApi
) -> None:
    server.script("PUT", SEND, Answer(content={"event_id": "$1"}))
    assert await send(api) == "$1"
    assert await send(api) == "$1"
    assert len(server.seen_at(DEVICE)) == 1
    first, second = server.seen_at(SEND)
    assert first.query == second.query == WITH_DEVICE
    assert first.content == {"msgtype": "m.notice", "body": "hello", "m.mentions": {}}


async def test_where_devices_cannot_be_made_the_bot_logs_in_for_one(
    server: ScriptedServer, api: HttpMatrixApi
) -> None:
    server.script("PUT", DEVICE, Answer(status=404, content={"errcode": "M_NOT_FOUND"}))
    server.script("PUT", SEND, Answer(content={"event_id": "$1"}))
    await send(api)
    (login,) = server.seen_at(f"{C}/login")
    assert login.content["device_id"] == DEVICE_ID
    assert server.seen_at(SEND)[0].query == WITH_DEVICE


async def test_without_a_device_notices_are_sent_all_the_same(
    server: ScriptedServer, api: HttpMatrixApi, caplog: pytest.LogCaptureFixture
) -> None:
    server.script("PUT", DEVICE, Answer(status=404, content={"errcode": "M_NOT_FOUND"}))
    server.script("POST", f"{C}/login", Answer(status=403, content={"errcode": "M_FORBIDDEN"}))
    server.script("PUT", SEND, Answer(content={"event_id": "$1"}))
    await send(api)
    await send(api)
    assert server.seen_at(SEND)[0].query == AS_BOT
    assert len(server.seen_at(DEVICE)) == 1
    assert caplog.text.count("no device") == 1


async def test_a_device_that_vanished_is_made_again(server: ScriptedServer, api: HttpMatrixApi) -> None:
    gone = Answer(status=400, content={"errcode": "M_UNKNOWN_DEVICE"})
    server.script("PUT", SEND, gone, Answer(content={"event_id": "$1"}))
    assert await send(api) == "$1"
    assert len(server.seen_at(DEVICE)) == 2


async def test_an_event_without_an_id_is_no_success(server: ScriptedServer, api: HttpMatrixApi) -> None:
    server.script("PUT", SEND, Answer(content={}))
    with pytest.raises(MatrixRefused):
        await send(api)


async def test_redactions_carry_their_reason(server: ScriptedServer, api: HttpMatrixApi) -> None:
    await api.send_redaction(ROOM, MxEventId("$1"), sender=BOT, txn_id=MxTxnId("t"), reason="spam")
    (seen,) = server.seen_at(f"{C}/rooms/%21r%3Ax/redact/%241/t")
    assert (seen.content, seen.query) == ({"reason": "spam"}, WITH_DEVICE)


async def test_joining_and_leaving(server: ScriptedServer, api: HttpMatrixApi) -> None:
    await api.join_room(ROOM, user=BOT)
    await api.leave_room(ROOM, user=BOT, reason="bye")
    join, leave = server.seen
    assert (join.path, join.query) == (f"{C}/rooms/%21r%3Ax/join", AS_BOT)
    assert (leave.path, leave.content) == (f"{C}/rooms/%21r%3Ax/leave", {"reason": "bye"})


@pytest.mark.parametrize(("status", "errcode"), [(403, "M_FORBIDDEN"), (404, "M_UNKNOWN"), (404, "M_NOT_FOUND")])
async def test_leaving_twice_is_leaving_once(
    server: ScriptedServer, api: HttpMatrixApi, status: int, errcode: str
) -> None:
    server.script("POST", f"{C}/rooms/%21r%3Ax/leave", Answer(status=status, content={"errcode": errcode}))
    await api.leave_room(ROOM, user=BOT)
    assert len(server.seen) == 1


async def test_members_are_those_who_are_in_or_invited(server: ScriptedServer, api: HttpMatrixApi) -> None:
    chunk = [
        {"state_key": "@a:x", "content": {"membership": "join"}},
        {"state_key": "@b:x", "content": {"membership": "invite"}},
        {"state_key": "@c:x", "content": {"membership": "leave"}},
        {"state_key": "@d:x", "content": 5},
        "nonsense",
    ]
    server.script("GET", f"{C}/rooms/%21r%3Ax/members", Answer(content={"chunk": chunk}))
    assert await api.fetch_members(ROOM) == {"@a:x", "@b:x"}


async def test_the_bot_is_registered_only_once(server: ScriptedServer, api: HttpMatrixApi) -> None:
    server.script("POST", f"{C}/register", Answer(status=400, content={"errcode": "M_USER_IN_USE"}))
    await api.ensure_bot()
    (seen,) = server.seen_at(f"{C}/register")
    assert seen.content == {"type": "m.login.application_service", "username": "bot", "inhibit_login": True}
    assert len(server.seen_at(DEVICE)) == 1


async def test_the_profile_is_set_where_it_differs(server: ScriptedServer, api: HttpMatrixApi) -> None:
    profile = f"{C}/profile/%40bot%3Alocalhost"
    server.script("GET", profile, Answer(content={"displayname": "Bot", "avatar_url": "mxc://x/old"}))
    await api.ensure_profile(BotProfile(display_name="Bot", avatar=MxUri("mxc://x/new")))
    writes = [seen for seen in server.seen if seen.method == "PUT"]
    assert [(seen.path, seen.content) for seen in writes] == [
        (f"{profile}/avatar_url", {"avatar_url": "mxc://x/new"})
    ]


async def test_a_user_without_a_profile_gets_one(server: ScriptedServer, api: HttpMatrixApi) -> None:
    profile = f"{C}/profile/%40bot%3Alocalhost"
    server.script("GET", profile, Answer(status=404, content={"errcode": "M_NOT_FOUND"}))
    await api.ensure_profile(BotProfile(display_name="Bot"))
    assert [seen.path for seen in server.seen if seen.method == "PUT"] == [f"{profile}/displayname"]


async def test_the_server_tells_versions_features_and_its_name(server: ScriptedServer, api: HttpMatrixApi) -> None:
    said = {"versions": ["v1.1", "v1.11"], "unstable_features": {"a": True, "b": False}}
    server.script("GET", "/_matrix/client/versions", Answer(content=said))
    unknown = Answer(status=404, content={"errcode": "M_UNRECOGNIZED"})
    server.script("GET", "/_matrix/federation/v1/version", unknown)
    server.script("GET", "/_synapse/admin/v1/server_version", Answer(content={"server_version": "1.163.2"}))
    info = await api.fetch_server_info()
    assert info.versions == ("v1.1", "v1.11")
    assert info.unstable == {"a": True, "b": False}
    assert info.software == "Synapse 1.163.2"
    await api.fetch_server_info()
    assert len(server.seen_at("/_synapse/admin/v1/server_version")) == 1


async def test_a_ping_tells_how_long_it_took(server: ScriptedServer, api: HttpMatrixApi) -> None:
    server.script("POST", "/_matrix/client/v1/appservice/whatsapp/ping", Answer(content={"duration_ms": 12}))
    assert await api.send_ping() == 0.012
