"""Programs link and unlink accounts and open chats through the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mautrix_whatsapp_py.errors import StoreUnavailable, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId, MxUserId, WaJid
from mautrix_whatsapp_py.model.wa_link import WaPairingFailed, WaPairingFailure, WaPhoneCode
from tests.fakes.whatsapp import FakePairing, device_of
from tests.flow.attempts import NUMBER, OTHER, link, qr
from tests.flow.desk_of_programs import PREFIX, SECRET, Desk, opened_desk
from tests.flow.world import ALICE, BOB, CAROL, DM, NOLOGIN, RELAYED, World

BEN = "15550002222"


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    await world.open_dm()
    async with opened_desk(world) as desk:
        yield desk


async def begin(desk: Desk, flow: str = "qr", **how: str) -> tuple[dict[str, str], FakePairing]:
    """Start a QR login; its first step."""
    count = len(desk.world.network.pairings) + 1
    asking = asyncio.create_task(desk.ask("POST", f"/v3/login/start/{flow}", **how))
    pairing = await desk.world.network.wait_for_pairing(count)
    pairing.give(qr(f"code{count}") if flow == "qr" else WaPhoneCode(code="ABCD-EFGH"))
    status, step = await asking
    assert status == 200, step
    return step, pairing


async def test_a_login_by_qr_code_that_renews_its_code(desk: Desk) -> None:
    status, flows = await desk.ask("GET", "/v3/login/flows")
    assert (status, [flow["id"] for flow in flows["flows"]]) == (200, ["qr", "phone"])
    step, pairing = await begin(desk)
    assert step["type"] == "display_and_wait"
    assert step["step_id"] == "fi.mau.whatsapp.login.qr"
    assert step["display_and_wait"] == {"type": "qr", "data": "code1"}
    pairing.give(qr("code2"))
    status, renewed = await desk.step(step, txn_id=step["txn_id"])
    assert renewed["display_and_wait"] == {"type": "qr", "data": "code2"}
    assert renewed["txn_id"] != step["txn_id"]
    pairing.give(desk.world.network.link(device_of(NUMBER)))
    status, done = await desk.step(renewed)
    assert (status, done["type"], done["complete"]) == (200, "complete", {"user_login_id": NUMBER})
    assert await desk.ask("GET", "/v3/logins") == (200, {"login_ids": [NUMBER]})
    assert (await desk.step(renewed))[1]["errcode"] == "FI.MAU.BRIDGE.LOGIN_ALREADY_FINISHED"
    assert not [body for body in desk.world.matrix.bodies(DM) if NUMBER in body]


async def test_a_wait_whose_answer_was_lost_can_be_repeated(desk: Desk) -> None:
    step, pairing = await begin(desk)
    pairing.give(qr("code2"))
    assert (await desk.step(step, txn_id=step["txn_id"]))[1]["display_and_wait"]["data"] == "code2"
    assert (await desk.step(step, txn_id=step["txn_id"]))[1]["display_and_wait"]["data"] == "code2"
    assert await desk.step(step, txn_id="other.1") == (
        400,
        {"errcode": "M_BAD_STATE", "error": "Transaction ID does not match"},
    )


async def test_a_login_by_phone_number(desk: Desk) -> None:
    _, step = await desk.ask("POST", "/v3/login/start/phone")
    assert step["user_input"]["fields"][0]["id"] == "phone_number"
    wrong = await desk.ask("POST", f"/v3/login/step/{step['login_id']}/other/user_input", {})
    assert wrong[1]["error"] == "Step ID does not match"
    wrong = await desk.ask("POST", f"/v3/login/step/{step['login_id']}/{step['step_id']}/display_and_wait", {})
    assert wrong[1] == {"errcode": "M_BAD_STATE", "error": "Step type does not match"}
    asking = asyncio.create_task(desk.step(step, {"phone_number": "+1 415 555-0001"}))
    pairing = await desk.world.network.wait_for_pairing()
    assert pairing.phone == NUMBER
    pairing.give(WaPhoneCode(code="ABCD-EFGH"))
    _, shown = await asking
    assert shown["step_id"] == "fi.mau.whatsapp.login.code"
    assert shown["display_and_wait"] == {"type": "code", "data": "ABCD-EFGH"}
    pairing.give(desk.world.network.link(device_of(NUMBER)))
    assert (await desk.step(shown))[1]["type"] == "complete"


@pytest.mark.parametrize(
    ("number", "errcode"),
    [("123", "PHONE_NUMBER_TOO_SHORT"), ("0171 2345678", "PHONE_NUMBER_NOT_INTERNATIONAL")],
)
async def test_a_refused_number_ends_the_process(desk: Desk, number: str, errcode: str) -> None:
    _, step = await desk.ask("POST", "/v3/login/start/phone")
    status, error = await desk.step(step, {"phone_number": number})
    assert (status, error["errcode"]) == (400, f"FI.MAU.WHATSAPP.{errcode}")
    assert (await desk.step(step, {"phone_number": "+14155550001"}))[0] == 404


async def test_attempts_that_come_to_nothing(desk: Desk) -> None:
    step, pairing = await begin(desk)
    pairing.give(WaPairingFailed(reason=WaPairingFailure.TIMEOUT))
    status, error = await desk.step(step)
    assert (status, error["errcode"]) == (400, "FI.MAU.WHATSAPP.LOGIN_TIMEOUT")
    step, _ = await begin(desk)
    waiting = asyncio.create_task(desk.step(step))
    attempt = desk.world.attempts.get(ALICE)
    assert attempt is not None
    await desk.world.until(lambda: len(attempt.news._waiters) > 0)  # type: ignore[attr-defined]
    assert await desk.ask("POST", f"/v3/login/cancel/{step['login_id']}") == (200, {})
    assert (await waiting)[0] == 410
    assert (await waiting)[1]["errcode"] == "FI.MAU.BRIDGE.LOGIN_CANCELLED"
    assert (await desk.ask("POST", f"/v3/login/cancel/{step['login_id']}"))[0] == 404
    desk.world.network.errors.append(WhatsAppUnavailable(code="rate-limited"))
    assert (await desk.ask("POST", "/v3/login/start/qr"))[1]["errcode"] == "FI.MAU.WHATSAPP.RATE_LIMITED"
    assert (await desk.ask("POST", "/v3/login/start/magic"))[0] == 404


async def test_a_new_attempt_replaces_the_one_before_and_cancel_in_a_room_ends_it(desk: Desk) -> None:
    first, pairing = await begin(desk)
    second, other = await begin(desk)
    assert pairing.is_cancelled
    assert (await desk.step(first))[0] == 410
    assert not other.is_cancelled
    assert await desk.world.attempts.cancel(ALICE)
    assert (await desk.step(second))[1]["errcode"] == "FI.MAU.BRIDGE.LOGIN_CANCELLED"


async def test_limits_count_except_for_an_account_that_is_linked_again(desk: Desk) -> None:
    _, pairing = await begin(desk, user=CAROL)
    pairing.give(desk.world.network.link(device_of(NUMBER)))
    await desk.world.until(lambda: bool(desk.world.logins.of_user(CAROL)))
    status, error = await desk.ask("POST", "/v3/login/start/qr", user=CAROL)
    assert (status, error["errcode"]) == (403, "FI.MAU.BRIDGE.TOO_MANY_LOGINS")
    assert (await desk.ask("POST", "/v3/login/start/qr", user=CAROL, login_id="1"))[0] == 404
    step, pairing = await begin(desk, "phone", user=CAROL, login_id=NUMBER)
    assert pairing.phone == NUMBER
    pairing.give(desk.world.network.link(device_of(OTHER)))
    status, error = await desk.step(step, user=CAROL)
    assert (status, error["errcode"]) == (403, "FI.MAU.BRIDGE.TOO_MANY_LOGINS")
    assert [login.id for login in desk.world.logins.of_user(CAROL)] == [NUMBER]


async def test_another_account_in_the_place_of_one_that_was_to_be_linked_again(desk: Desk) -> None:
    await link(desk.world)
    step, pairing = await begin(desk, "phone", login_id=NUMBER)
    pairing.give(desk.world.network.link(device_of(OTHER)))
    assert (await desk.step(step))[1]["complete"] == {"user_login_id": OTHER}
    await desk.world.until(lambda: [login.id for login in desk.world.logins.of_user(ALICE)] == [OTHER])


async def test_somebody_who_loses_an_account_is_told(desk: Desk) -> None:
    await link(desk.world)
    step, pairing = await begin(desk, user=BOB)
    pairing.give(desk.world.network.link(device_of(NUMBER)))
    assert (await desk.step(step, user=BOB))[1]["type"] == "complete"
    await desk.world.heard("was linked on this bridge by another person just now")


async def test_whoami_and_logout(desk: Desk) -> None:
    await link(desk.world)
    _, told = await desk.ask("GET", "/v3/whoami")
    assert told["management_room"] == DM
    assert told["network"]["network_id"] == "whatsapp"
    (login,) = told["logins"]
    assert (login["id"], login["name"]) == (NUMBER, f"+{NUMBER}")
    assert login["state_event"] == login["state"]["state_event"] == "CONNECTED"
    assert login["profile"] == {"phone": f"+{NUMBER}", "name": "Ana"}
    assert (await desk.ask("POST", f"/v3/logout/{NUMBER}", user=BOB))[0] == 404
    assert await desk.ask("POST", "/v3/logout/all", user=BOB) == (200, {})
    assert desk.world.network.logged_out == []
    assert await desk.ask("POST", f"/v3/logout/{NUMBER}") == (200, {})
    assert desk.world.network.logged_out == [NUMBER]
    assert (await desk.ask("GET", "/v3/contacts"))[1]["errcode"] == "FI.MAU.NOT_LOGGED_IN"


async def test_people(desk: Desk) -> None:
    await link(desk.world)
    directory = desk.world.directories.require(NUMBER)
    directory.add_contact(BEN, "Ben Blue")
    directory.add_contact("15550003333", "Zoe")
    directory.add_person(BEN, business="Ben's")
    _, listed = await desk.ask("GET", "/v3/contacts")
    assert [contact["name"] for contact in listed["contacts"]] == ["Ben Blue", "Zoe"]
    assert listed["contacts"][0] == {"id": BEN, "identifiers": [f"tel:+{BEN}"], "name": "Ben Blue"}
    _, found = await desk.ask("POST", "/v3/search_users", {"query": "blue"})
    assert [contact["id"] for contact in found["results"]] == [BEN]
    _, found = await desk.ask("POST", "/v3/search_users", {"query": "+1999 5550 000"})
    assert found == {"results": []}
    status, person = await desk.ask("GET", f"/v3/resolve_identifier/+{BEN}")
    assert (status, person["mxid"]) == (200, f"@whatsapp_{BEN}:localhost")
    assert (await desk.ask("GET", "/v3/resolve_identifier/+19995550000"))[1]["errcode"] == "M_NOT_FOUND"
    assert (await desk.ask("GET", "/v3/resolve_identifier/nobody"))[0] == 400
    status, chat = await desk.ask("POST", f"/v3/create_dm/{BEN}")
    assert status == 201
    assert await desk.ask("POST", f"/v3/create_dm/{BEN}@s.whatsapp.net") == (200, chat)
    _, listed = await desk.ask("GET", "/v3/contacts")
    assert listed["contacts"][0]["dm_room_mxid"] == chat["dm_room_mxid"]
    directory.fail(WhatsAppUnavailable())
    assert (await desk.ask("GET", "/v3/contacts"))[0] == 503


async def test_groups(desk: Desk) -> None:
    await link(desk.world)
    directory = desk.world.directories.require(NUMBER)
    directory.add_person(BEN)
    body = {
        "name": {"name": "Garden"},
        "participants": [BEN],
        "topic": {"topic": "Roses"},
        "disappear": {"type": "after_send", "timer": 86_400_000},
    }
    status, group = await desk.ask("POST", "/v3/create_group/group", body)
    assert (status, group["failed_participants"]) == (200, {})
    assert directory.created == [("Garden", (WaJid(user=BEN, server="s.whatsapp.net"),))]
    assert directory.timers[0][1] == 86_400
    assert group["mxid"] in desk.world.chats.rooms
    for wrong in ({"name": {"name": ""}}, {"participants": []}, {"disappear": {"timer": 5000}}, {"room_id": "!x"}):
        status, error = await desk.ask("POST", "/v3/create_group/group", {**body, **wrong})
        assert (status, error["errcode"]) == (400, "M_INVALID_PARAM")
    assert (await desk.ask("POST", "/v3/create_group/broadcast", body))[0] == 400


async def test_what_is_not_supported_says_so(desk: Desk) -> None:
    for method, path in (
        ("POST", "/v3/backfill/!room:localhost"),
        ("GET", "/v3/image_pack/list"),
        ("POST", "/v3/session_transfer/init"),
        ("POST", "/v3/resolve_media/$event"),
    ):
        assert (await desk.ask(method, path))[0] == 501
    status, error = await desk.ask("GET", "/v3/nothing")
    assert (status, error["errcode"]) == (404, "M_UNRECOGNIZED")
    assert (await desk.ask("GET", "/v3/logout/all"))[0] == 405
    assert "group" in (await desk.ask("GET", "/v3/capabilities"))[1]["group_creation"]


class TestTheDoor:
    """Who may ask."""

    async def test_tokens(self, desk: Desk) -> None:
        desk.identities.tokens = {"alices": ALICE, "strangers": MxUserId("@alice:elsewhere")}
        desk.identities.openid_tokens = {"alices": ALICE}
        ask = desk.ask
        assert (await ask("GET", "/v3/logins", token=None))[1]["errcode"] == "M_MISSING_TOKEN"
        assert (await ask("GET", "/v3/logins", token="wrong"))[1]["errcode"] == "M_UNKNOWN_TOKEN"
        assert (await ask("GET", "/v3/logins", token="alices"))[0] == 200
        assert (await ask("GET", "/v3/logins", token="alices", user=None))[0] == 200
        assert (await ask("GET", "/v3/logins", token="alices", user=BOB))[0] == 401
        assert (await ask("GET", "/v3/logins", token="openid:alices"))[0] == 200
        assert (await ask("GET", "/v3/logins", token="openid:alices", user=BOB))[0] == 401
        assert (await ask("GET", "/v3/logins", token="strangers", user=None))[0] == 401
        assert (await ask("GET", "/v3/logins", token="strangers", user=RELAYED))[0] == 401
        assert (await ask("GET", "/v3/logins", token="ünknown"))[0] == 401

    async def test_users(self, desk: Desk) -> None:
        assert (await desk.ask("GET", "/v3/logins", user=None))[1]["errcode"] == "M_MISSING_PARAM"
        assert (await desk.ask("GET", "/v3/logins", user=MxUserId("alice")))[1]["errcode"] == "M_INVALID_PARAM"
        assert (await desk.ask("GET", "/v3/logins", user=NOLOGIN))[1]["errcode"] == "M_FORBIDDEN"
        assert (await desk.ask("GET", "/v3/logins", user=RELAYED))[0] == 403

    async def test_a_homeserver_that_is_away(self, desk: Desk) -> None:
        desk.identities.is_reachable = False
        assert (await desk.ask("GET", "/v3/logins", token="alices"))[0] == 502
        assert (await desk.ask("GET", "/v3/logins"))[0] == 200

    async def test_processes_of_others_are_not_there(self, desk: Desk) -> None:
        step, pairing = await begin(desk)
        assert (await desk.step(step, user=BOB))[0] == 404
        assert (await desk.ask("POST", f"/v3/login/cancel/{step['login_id']}", user=BOB))[0] == 404
        assert not pairing.is_cancelled

    async def test_without_a_secret_no_secret_opens(self, world: World) -> None:
        async with opened_desk(world, secret=None) as desk:
            for token in ("generate", "disable", SECRET):
                assert (await desk.ask("GET", "/v3/logins", token=token))[0] == 401


@pytest.mark.parametrize("body", ["{", "[]", '{"query": 5}', '{"query": "\\ud800"}', '{"query": "\\u0000"}'])
async def test_bodies_that_cannot_be(desk: Desk, body: str) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    query = {"user_id": ALICE}
    async with desk.client.post(f"{PREFIX}/v3/search_users", data=body, headers=headers, params=query) as response:
        assert response.status == 400
    async with desk.client.post(
        f"{PREFIX}/v3/search_users", data="x" * 70_000, headers=headers, params=query
    ) as response:
        assert response.status == 413


async def test_web_clients_of_any_origin_may_ask(desk: Desk) -> None:
    async with desk.client.options(f"{PREFIX}/v3/whoami") as response:
        assert response.status == 200
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


async def test_a_database_that_is_away_is_told_without_details(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_user: MxUserId) -> None:
        raise StoreUnavailable("row 7 of table secrets")

    monkeypatch.setattr(desk.world.users, "get_management_room", fail)
    status, error = await desk.ask("GET", "/v3/whoami")
    assert (status, error["error"]) == (503, "The database is not available.")


async def test_a_preferred_account_is_meant_when_none_is_named(desk: Desk) -> None:
    await link(desk.world)
    await link(desk.world, OTHER)
    desk.world.directories.require(LoginId(OTHER)).add_contact(BEN, "Ben")
    assert (await desk.ask("GET", "/v3/contacts"))[1]["contacts"] == []
    assert len((await desk.ask("GET", "/v3/contacts", login_id=OTHER))[1]["contacts"]) == 1
    await desk.world.say(f"set-preferred-login {OTHER}")
    assert len((await desk.ask("GET", "/v3/contacts"))[1]["contacts"]) == 1
