"""Linking while bridge, homeserver or database fail."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge import link_texts as texts
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.model.wa_link import (
    WaPhoneCode,
)
from tests.fakes.whatsapp import device_of
from tests.flow.attempts import NUMBER, SUCCESS, begin, link, qr, show
from tests.flow.world import ALICE, DM, World


async def test_a_clean_restart_takes_the_code_away_and_says_so(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first", "second")
    await world.restart()
    assert world.matrix.bodies(DM)[-1] == texts.INTERRUPTED
    assert len(world.matrix.redacted) == 2
    assert pairing.is_cancelled
    await link(world)


@pytest.mark.parametrize("command", ["login", "login code 14155550001"])
async def test_a_killed_bridge_takes_the_code_away_at_its_next_start(world: World, command: str) -> None:
    await world.open_dm()
    pairing = await begin(world, command)
    pairing.give(qr("first"), qr("second")) if command == "login" else pairing.give(WaPhoneCode(code="ABCD-EFGH"))
    count = 2 if command == "login" else 1
    await world.noted(count)
    await world.kill()
    assert world.matrix.redacted == []
    await world.start_anew()
    await world.heard(texts.INTERRUPTED)
    await world.until(lambda: not world.linking._tasks)
    shown = {one.event_id for one in world.matrix.pictures}
    shown |= {one.event_id for one in world.matrix.sent if "ABCD-EFGH" in one.notice.body}
    assert shown
    assert shown <= set(world.matrix.redacted)
    assert await world.shown.get_all() == []
    await world.restart()
    assert world.matrix.bodies(DM).count(texts.INTERRUPTED) == 1
    await link(world)


@pytest.mark.parametrize("call", ["upload_media", "send_picture", "fetch_members", "fetch_is_encrypted"])
@pytest.mark.parametrize("error", [MatrixUnreachable(), MatrixRefused(errcode="M_TOO_LARGE", status=413)])
async def test_a_code_the_homeserver_does_not_take_ends_the_attempt(
    world: World, call: str, error: MatrixUnreachable | MatrixRefused
) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first")
    world.matrix.fail(call, error)
    pairing.give(qr("second"), qr("third"))
    await world.heard(texts.HOMESERVER_FAULT)
    assert pairing.is_cancelled
    assert [one.data for one in world.matrix.pictures] == [b"first"]
    assert world.matrix.pictures[0].event_id in world.matrix.redacted
    await link(world)


async def test_without_a_database_no_code_is_shown(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    world.shown.failures = 1
    pairing.give(qr("first"))
    await world.heard(texts.DATABASE_FAULT)
    assert world.matrix.pictures == []
    assert world.matrix.redacted == []


async def test_a_picture_whose_answer_was_lost_is_not_shown_for_ever(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    world.matrix.fail("send_picture", MatrixUnreachable(), is_answer_lost=True)
    pairing.give(qr("first"))
    await world.heard(texts.HOMESERVER_FAULT)
    assert world.matrix.redacted == [one.event_id for one in world.matrix.pictures] != []
    assert await world.shown.get_all() == []


@pytest.mark.parametrize("is_answer_lost", [True, False])
async def test_a_bridge_killed_while_it_shows_a_code_takes_it_away(world: World, is_answer_lost: bool) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first")
    await world.noted(1)
    world.matrix.crash("send_picture", is_answer_lost=is_answer_lost)
    world.matrix.is_cut_off_after_crash = True
    pairing.give(qr("second"))
    await world.until(lambda: world.matrix.is_cut_off)
    await world.kill()
    await world.start_anew()
    await world.heard(texts.INTERRUPTED)
    await world.until(lambda: not world.linking._tasks)
    assert {one.event_id for one in world.matrix.pictures} <= set(world.matrix.redacted)
    assert len(world.matrix.redacted) == 2
    assert await world.shown.get_all() == []


async def test_a_phone_that_was_faster_than_the_homeserver_is_linked(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    world.matrix.fail("upload_media", MatrixUnreachable())
    pairing.give(qr("first"), world.network.link(device_of(NUMBER)))
    await world.heard(SUCCESS)
    assert [login.id for login in world.logins.of_user(ALICE)] == [NUMBER]


async def test_an_end_the_homeserver_does_not_take_is_told_when_it_is_back(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first")
    world.matrix.fail("send_redaction", MatrixUnreachable(), times=2)
    world.matrix.fail("send_notice", MatrixUnreachable(), times=2)
    pairing.give(world.network.link(device_of(NUMBER)))
    await world.until(lambda: bool(world.logins.of_user(ALICE)))
    for _ in range(4):
        await world.until(lambda: world.clock.sleeping > 0)
        world.clock.advance(120)
    await world.heard(SUCCESS)
    assert len(world.matrix.redacted) == 1
    assert await world.shown.get_all() == []


async def test_a_room_the_bot_was_thrown_out_of_is_left_alone(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first")
    refused = MatrixRefused(errcode="M_FORBIDDEN", status=403)
    world.matrix.fail("send_redaction", refused)
    world.matrix.fail("send_notice", refused)
    await pairing.cancel()
    await world.until(lambda: not world.linking._tasks)
    assert await world.shown.get_all() == []


async def test_a_database_that_is_away_does_not_lose_a_linked_account(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    world.book.failures = 2
    pairing.give(world.network.link(device_of(NUMBER)))
    for _ in range(2):
        await world.until(lambda: world.clock.sleeping > 0)
        world.clock.advance(120)
    await world.heard(SUCCESS)
    assert world.network.logged_out == []


async def test_no_secret_reaches_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="mautrix_whatsapp_py")
    await world.open_dm()
    pairing = await begin(world)
    world.matrix.fail("upload_media", MatrixUnreachable())
    pairing.give(qr("SECRET-QR"), qr("SECRET-QR"))
    await world.heard(texts.HOMESERVER_FAULT)
    pairing = await begin(world, "login code +1 415 555 0001")
    pairing.give(WaPhoneCode(code="SECR-ET77"))
    await world.heard("SECR-ET77")
    await world.kill()
    await world.start_anew()
    pairing = await begin(world)
    await show(world, pairing, "SECRET-QR")
    pairing.give(world.network.link(device_of(NUMBER)))
    await world.heard(SUCCESS)
    await world.say("list-logins")
    await world.say("logout")
    assert "linking" in caplog.text
    for secret in ("SECRET-QR", "SECR-ET77", NUMBER, "415 555", "5550001"):
        assert secret not in caplog.text
