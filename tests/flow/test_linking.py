"""Linking an account, as its user sees it."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge import link_texts as texts
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.model.wa_link import (
    WaPairingFailed,
    WaPairingFailure,
    WaPhoneCode,
    WaStateKind,
)
from tests.fakes.whatsapp import device_of
from tests.flow.attempts import NUMBER, OTHER, SUCCESS, begin, link, qr, show
from tests.flow.world import ALICE, BOB, BOBS_DM, CAROL, DM, GROUP, NOLOGIN, RELAYED, World


async def test_a_code_is_shown_renewed_in_place_and_taken_away(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    assert pairing.phone == ""
    await show(world, pairing, "first", "second", "third")
    first, *renewals = world.matrix.pictures
    assert first.picture.edits is None
    assert [one.picture.edits for one in renewals] == [first.event_id] * 2
    assert [one.data for one in world.matrix.pictures] == [b"first", b"second", b"third"]
    assert {one.room_id for one in world.matrix.pictures} == {DM}
    assert texts.QR_STEPS in world.matrix.bodies(DM)
    pairing.give(world.network.link(device_of(NUMBER)))
    assert await world.heard(SUCCESS) == SUCCESS
    assert world.matrix.redacted == [one.event_id for one in world.matrix.pictures]
    assert await world.shown.get_all() == []
    assert [login.id for login in world.logins.of_user(ALICE)] == [NUMBER]
    assert world.matrix.bodies(DM)[-2:] == [texts.QR_STEPS, SUCCESS]


@pytest.mark.parametrize(
    "command", ["login code +1 415 555 0001", "login phone 14155550001", "pair +1-415-555-0001"]
)
async def test_a_code_to_type(world: World, command: str) -> None:
    await world.open_dm()
    pairing = await begin(world, command)
    assert pairing.phone == NUMBER
    pairing.give(WaPhoneCode(code="ABCD-EFGH"))
    assert "`ABCD-EFGH`" in await world.heard("Your code is")
    shown = world.matrix.sent[-1].event_id
    pairing.give(world.network.link(device_of(NUMBER)))
    await world.heard(SUCCESS)
    assert world.matrix.redacted == [shown]
    assert not world.matrix.pictures


async def test_a_mistyped_code_is_followed_by_another_of_the_same_attempt(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world, "login code 14155550001")
    pairing.give(WaPhoneCode(code="ABCD-EFGH"))
    await world.heard("`ABCD-EFGH`")
    pairing.codes += [WhatsAppRefused(code="rate-limited"), WaPhoneCode(code="JKLM-NPQR")]
    await world.say("login code 14155550001")
    assert world.matrix.bodies(DM)[-1] == texts.FAILURES[WaPairingFailure.RATE_LIMITED]
    await world.say("login code 14155550001")
    await world.heard("`JKLM-NPQR`")
    assert len(world.network.pairings) == 1
    pairing.give(world.network.link(device_of(NUMBER)))
    await world.heard(SUCCESS)
    assert len(world.matrix.redacted) == 2


def test_every_failure_has_a_sentence_of_its_own() -> None:
    assert set(texts.FAILURES) == set(WaPairingFailure)
    assert len(set(texts.FAILURES.values())) == len(WaPairingFailure)
    assert all(text.endswith(".") for text in texts.FAILURES.values())


@pytest.mark.parametrize("reason", WaPairingFailure)
async def test_failures(world: World, reason: WaPairingFailure) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first", "second")
    pairing.give(WaPairingFailed(reason=reason))
    await world.heard(texts.FAILURES[reason])
    assert world.matrix.redacted == [one.event_id for one in world.matrix.pictures]
    assert world.logins.of_user(ALICE) == ()
    await begin(world)


@pytest.mark.parametrize(
    ("code", "reason"),
    [("busy", WaPairingFailure.BUSY), ("host-lost", WaPairingFailure.HOST), ("", WaPairingFailure.HOST)],
)
async def test_an_attempt_that_cannot_begin(world: World, code: str, reason: WaPairingFailure) -> None:
    await world.open_dm()
    world.network.errors.append(WhatsAppUnavailable(code=code))
    await world.say("login")
    assert world.matrix.bodies(DM)[-1] == texts.FAILURES[reason]
    await begin(world)


@pytest.mark.parametrize("second", ["login", "login qr", "login code 14155550001", "pair 14155550001", "relogin"])
async def test_one_attempt_at_a_time(world: World, second: str) -> None:
    await world.open_dm()
    await link(world, OTHER)
    world.network.clients.clear()
    pairing = await begin(world)
    await world.say(second)
    assert world.matrix.bodies(DM)[-1] == texts.ALREADY_RUNNING
    assert len(world.network.pairings) == 2
    assert not pairing.is_cancelled


async def test_login_twice_in_one_transaction(world: World) -> None:
    await world.open_dm()
    await world.deliver(world.text("login"), world.text("login"))
    await world.settled()
    assert len(world.network.pairings) == 1
    assert world.matrix.bodies(DM)[-1] == texts.ALREADY_RUNNING


async def test_a_command_that_is_carried_out_twice_begins_once(world: World) -> None:
    await world.open_dm()
    world.fail_mark(is_too_late=False, is_crash=False)
    await world.deliver(world.text("login"))
    await world.until(lambda: bool(world.network.pairings))
    await world.until(lambda: world.clock.sleeping > 0)
    world.clock.advance(5)
    await world.settled()
    assert len(world.network.pairings) == 1
    assert texts.ALREADY_RUNNING not in world.matrix.bodies(DM)


async def test_a_command_that_comes_again_after_a_crash_shows_a_code_again(world: World) -> None:
    await world.open_dm()
    world.fail_mark(is_too_late=False, is_crash=True)
    await world.deliver(world.text("login"))
    await world.until(lambda: bool(world.network.pairings))
    await show(world, world.network.pairings[0], "first")
    await world.noted(1)
    await world.kill()
    world.clock.advance(1)
    await world.start_anew()
    again = await world.network.wait_for_pairing(2)
    await show(world, again, "again")
    first, second = world.matrix.pictures
    await world.until(lambda: set(world.matrix.redacted) == {first.event_id})
    assert second.picture.edits is None


async def test_cancel(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first")
    await world.say("cancel")
    await world.heard(texts.FAILURES[WaPairingFailure.CANCELLED])
    assert pairing.is_cancelled
    assert len(world.matrix.redacted) == 1
    await world.say("cancel")
    assert world.matrix.bodies(DM)[-1] == "There is nothing to cancel."


async def test_cancel_does_not_touch_others(world: World) -> None:
    await world.open_dm()
    await world.open_dm(room_id=BOBS_DM, user=BOB)
    pairing = await begin(world)
    await world.say("cancel", room_id=BOBS_DM, sender=BOB)
    assert world.matrix.bodies(BOBS_DM)[-1] == "There is nothing to cancel."
    assert not pairing.is_cancelled


@pytest.mark.parametrize("command", ["login", "login code 14155550001", "pair 14155550001", "relogin"])
async def test_codes_are_not_shown_where_others_read_along(world: World, command: str) -> None:
    await world.open_dm()
    await link(world)
    world.network.clients.clear()
    world.matrix.add_room(GROUP, ALICE, BOB)
    await world.deliver(world.invite(room_id=GROUP))
    await world.say(f"!wa {command}", room_id=GROUP)
    assert world.matrix.bodies(GROUP)[-1] == texts.NOT_HERE
    await world.say("!wa set-management-room", room_id=GROUP)
    await world.say(command, room_id=GROUP)
    assert world.matrix.bodies(GROUP)[-1] == texts.NOT_HERE
    assert len(world.network.pairings) == 1


async def test_somebody_who_comes_in_meanwhile_sees_no_code(world: World) -> None:
    await world.open_dm()
    pairing = await begin(world)
    await show(world, pairing, "first")
    world.matrix.rooms[DM].invited.add(BOB)
    pairing.give(qr("second"))
    await world.heard(texts.NOT_HERE)
    assert pairing.is_cancelled
    assert [one.data for one in world.matrix.pictures] == [b"first"]
    assert len(world.matrix.redacted) == 1


async def test_codes_are_not_shown_in_an_encrypted_room(world: World) -> None:
    await world.open_dm()
    world.matrix.rooms[DM].is_encrypted = True
    await world.say("login")
    assert world.matrix.bodies(DM)[-1] == texts.ENCRYPTED_ROOM
    world.matrix.rooms[DM].is_encrypted = False
    pairing = await begin(world)
    await show(world, pairing, "first")
    world.matrix.rooms[DM].is_encrypted = True
    pairing.give(qr("second"))
    await world.heard(texts.ENCRYPTED_ROOM, count=2)
    assert len(world.matrix.pictures) == len(world.matrix.redacted) == 1


async def test_who_may_link_one_account_links_one(world: World) -> None:
    await world.open_dm(user=CAROL)
    await link(world, user=CAROL)
    await world.say("login", sender=CAROL)
    assert world.matrix.bodies(DM)[-1] == (
        "You may link one account here, and you have. Unlink one with `logout`, or link it again with `relogin`."
    )
    await world.say("logout", sender=CAROL)
    await link(world, OTHER, user=CAROL)


async def test_linking_again_is_no_way_around_the_limit(world: World) -> None:
    await world.open_dm(user=CAROL)
    await link(world, user=CAROL)
    world.network.clients.clear()
    pairing = await begin(world, "relogin", user=CAROL)
    pairing.give(world.network.link(device_of(OTHER)))
    await world.heard("You may link one account here")
    assert world.network.logged_out == [OTHER]
    assert [login.id for login in world.logins.of_user(CAROL)] == [NUMBER]
    pairing = await begin(world, "relogin", user=CAROL)
    pairing.give(world.network.link(device_of(NUMBER)))
    await world.heard(SUCCESS, count=2)


def test_limits_in_words() -> None:
    assert "may not link accounts" in texts.too_many(0)
    assert "3 accounts" in texts.too_many(3)


@pytest.mark.parametrize("command", ["login", "pair 14155550001", "logout", "relogin", "list-logins", "ping"])
async def test_who_may_not_link_is_told_so(world: World, command: str) -> None:
    await world.open_dm(user=NOLOGIN)
    await world.say(command, sender=NOLOGIN)
    name = command.split()[0]
    assert world.matrix.bodies(DM)[-1] == (
        f"You may not use `{name}`: it needs the level user. Ask the person who runs the bridge."
    )
    assert not world.network.pairings


async def test_who_is_only_relayed_may_not_link(world: World) -> None:
    world.matrix.add_room(GROUP, ALICE, RELAYED)
    await world.deliver(world.invite(room_id=GROUP))
    await world.say("!wa login", room_id=GROUP, sender=RELAYED)
    assert world.matrix.bodies(GROUP)[-1].startswith("You may not use commands of this bridge.")


async def test_several_accounts_of_several_people(world: World) -> None:
    await world.open_dm()
    await world.open_dm(room_id=BOBS_DM, user=BOB)
    bobs = await begin(world, room_id=BOBS_DM, user=BOB)
    await link(world)
    await link(world, OTHER)
    bobs.give(world.network.link(device_of("14155550003")))
    await world.heard("+14155550003", room_id=BOBS_DM)
    assert [login.id for login in world.logins.of_user(ALICE)] == [NUMBER, OTHER]
    assert [login.id for login in world.logins.of_user(BOB)] == ["14155550003"]
    await world.restart()
    assert [login.id for login in world.logins.of_user(ALICE)] == [NUMBER, OTHER]
    await world.say("logout +14155550003")
    assert "no login of that number" in world.matrix.bodies(DM)[-1]


async def test_the_account_of_another_changes_hands_and_both_are_told(world: World) -> None:
    await world.open_dm()
    await world.open_dm(room_id=BOBS_DM, user=BOB)
    await link(world)
    await link(world, room_id=BOBS_DM, user=BOB)
    await world.heard(texts.LOST_TO_OTHER.format(number="+14155550001"))
    await world.heard(texts.TAKEN_OVER, room_id=BOBS_DM)
    assert world.logins.of_user(ALICE) == ()
    assert [login.id for login in world.logins.of_user(BOB)] == [NUMBER]
    assert world.states[-2:] == [(ALICE, f"{NUMBER} LOGGED_OUT"), (BOB, f"{NUMBER} CONNECTED")]
    await world.say("list-logins")
    assert "no WhatsApp account" in world.matrix.bodies(DM)[-1]


async def test_the_same_person_linking_again_is_told_nothing_else(world: World) -> None:
    await world.open_dm()
    await link(world)
    count = len(world.matrix.bodies(DM))
    pairing = await begin(world)
    state = world.network.clients[NUMBER].state
    ended = state.__class__(kind=WaStateKind.BAD_CREDENTIALS, since=world.clock.now(), error="wa-logged-out")
    world.network.set_state(NUMBER, ended)
    pairing.give(world.network.link(device_of(NUMBER)))
    await world.heard(SUCCESS, count=2)
    world.clock.advance(600)
    await world.until(lambda: not world.herald._tasks)
    assert world.matrix.bodies(DM)[count:] == [SUCCESS]
