"""What people are told of their links without asking, and what they can ask."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mautrix_whatsapp_py.bridge.link_news import UNSEEN_ERROR
from mautrix_whatsapp_py.config.tree import StatusNotices
from mautrix_whatsapp_py.errors import MatrixUnreachable, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaHostStats, WaPaired, WaSessionStats, WaState, WaStateKind
from tests.fakes.whatsapp import FakeClient, device_of
from tests.flow.world import ALICE, DM, World

NUMBER = LoginId("14155550001")
OTHER = LoginId("14155550002")
S = WaStateKind
UNLINKED = "+14155550001 was unlinked from the phone. Send `login` to link it again."
UNREACHABLE = "WhatsApp cannot be reached for +14155550001. I keep trying."
BACK = "+14155550001 is back online."


@pytest.fixture
async def linked(world: World) -> World:
    """Alice with an account."""
    await world.open_dm()
    await add(world, NUMBER)
    return world


async def add(world: World, number: LoginId) -> WaPaired:
    paired = world.network.link(device_of(number), at=world.clock.now())
    await world.logins.add(ALICE, paired.device)
    return paired


def become(world: World, kind: WaStateKind, error: str = "") -> None:
    world.network.set_state(NUMBER, WaState(kind=kind, since=world.clock.now(), error=error))


async def pass_seconds(world: World, seconds: float) -> None:
    """Let time pass and the herald do what is due."""
    await world.quiet()
    world.clock.advance(seconds)
    await world.quiet()


def said(world: World) -> list[str]:
    return world.matrix.bodies(DM)[1:]


async def test_an_unlinked_account_is_told_of_once(linked: World) -> None:
    become(linked, S.BAD_CREDENTIALS, "wa-logged-out")
    await pass_seconds(linked, 5)
    assert said(linked) == [UNLINKED]
    for _ in range(2):
        await linked.restart()
        await pass_seconds(linked, 86400)
    assert said(linked) == [UNLINKED]
    linked.network.link(device_of(NUMBER), at=linked.clock.now())
    await pass_seconds(linked, 86400)
    assert said(linked) == [UNLINKED, BACK]


async def test_short_trouble_is_nobodys_business(linked: World) -> None:
    for _ in range(100):
        become(linked, S.TRANSIENT_DISCONNECT, "wa-connection-failed")
        await pass_seconds(linked, 179)
        become(linked, S.CONNECTED)
        await pass_seconds(linked, 1)
    assert said(linked) == []


async def test_long_trouble_is_told_and_its_end(linked: World) -> None:
    become(linked, S.TRANSIENT_DISCONNECT, "wa-connection-failed")
    await pass_seconds(linked, 179)
    assert said(linked) == []
    await pass_seconds(linked, 1)
    assert said(linked) == [UNREACHABLE]
    become(linked, S.CONNECTED)
    await linked.heard(BACK)
    assert said(linked) == [UNREACHABLE, BACK]


async def test_trouble_that_keeps_changing_its_name_is_told_after_three_minutes(linked: World) -> None:
    for error in ("wa-transient-disconnect", "wa-keepalive-timeout", "wa-connection-failed"):
        become(linked, S.TRANSIENT_DISCONNECT, error)
        await pass_seconds(linked, 70)
    assert said(linked) == [UNREACHABLE]


@pytest.mark.parametrize("level", StatusNotices)
@pytest.mark.parametrize(
    ("kind", "error"),
    [(S.TRANSIENT_DISCONNECT, "wa-connection-failed"), (S.UNKNOWN_ERROR, "wa-stream-error")],
)
async def test_a_link_that_comes_and_goes_for_a_day_never_floods(
    linked: World, level: StatusNotices, kind: WaStateKind, error: str
) -> None:
    linked.notices = level
    await linked.restart()
    for number in range(144):
        become(linked, kind, error)
        await pass_seconds(linked, 200 if number % 2 else 10)
        become(linked, S.CONNECTED)
        await pass_seconds(linked, 400 if number % 2 else 590)
    count = len(said(linked))
    assert count == 0 if level is StatusNotices.NONE else 2 <= count <= 50


async def test_a_restart_keeps_what_was_told(linked: World) -> None:
    become(linked, S.TRANSIENT_DISCONNECT, "wa-connection-failed")
    await pass_seconds(linked, 180)
    await linked.restart()
    await pass_seconds(linked, 7200)
    assert said(linked) == [UNREACHABLE]
    become(linked, S.CONNECTED)
    await linked.heard(BACK)
    await linked.restart()
    await pass_seconds(linked, 7200)
    assert said(linked) == [UNREACHABLE, BACK]


async def test_a_link_that_never_came_up_is_told_of(linked: World) -> None:
    await linked.stop()
    since = linked.clock.now()
    linked.network.clients[NUMBER] = FakeClient(NUMBER, WaState(kind=S.STARTING, since=since))
    await linked.start_anew()
    await pass_seconds(linked, 180)
    assert said(linked) == ["+14155550001 is not connected to WhatsApp. I keep trying."]


async def test_a_session_that_is_gone_is_told_of_at_the_next_start(linked: World) -> None:
    await linked.stop()
    linked.network.clients.clear()
    await linked.start_anew()
    await pass_seconds(linked, 5)
    assert said(linked) == [
        "The link of +14155550001 is lost: its session file is missing or damaged. Send `login` to link it again."
    ]


async def test_a_notice_waits_for_the_homeserver(linked: World) -> None:
    linked.matrix.fail("send_notice", MatrixUnreachable(), times=3)
    become(linked, S.BAD_CREDENTIALS, "wa-logged-out")
    for _ in range(5):
        await pass_seconds(linked, 300)
    assert said(linked) == [UNLINKED]


async def test_what_is_over_before_it_could_be_told_is_not_told(linked: World) -> None:
    linked.matrix.fail("send_notice", MatrixUnreachable(), times=2)
    become(linked, S.TRANSIENT_DISCONNECT, "wa-connection-failed")
    await pass_seconds(linked, 180)
    become(linked, S.CONNECTED)
    await pass_seconds(linked, 7200)
    assert said(linked) == []


async def test_who_wants_all_is_told_that_a_link_is_up(linked: World) -> None:
    linked.notices = StatusNotices.ALL
    await linked.restart()
    await linked.heard("+14155550001 is connected to WhatsApp.")


async def test_a_phone_that_stays_away(linked: World) -> None:
    client = linked.network.clients[NUMBER]
    client.stats = WaSessionStats(login=NUMBER, phone_seen_at=linked.clock.now())
    linked.network.sink = None
    for days, count in ((9.9, 0), (10.1, 1), (11, 1)):
        linked.clock.advance(0)
        client.stats = WaSessionStats(login=NUMBER, phone_seen_at=linked.clock.now() - timedelta(days=days))
        await linked.herald._look_at_phone(NUMBER)
        assert len(said(linked)) == count
    assert "was not online for 10 days" in said(linked)[0]
    login = linked.logins.get(NUMBER)
    assert login is not None
    assert login.told_error == UNSEEN_ERROR
    client.stats = WaSessionStats(login=NUMBER, phone_seen_at=linked.clock.now())
    await linked.herald._look_at_phone(NUMBER)
    assert len(said(linked)) == 1
    client.stats_error = WhatsAppUnavailable()
    await linked.herald._look_at_phone(NUMBER)
    assert len(said(linked)) == 1


async def test_logging_out_says_one_thing(linked: World) -> None:
    await linked.say("logout")
    await pass_seconds(linked, 600)
    assert said(linked) == ["Unlinked +14155550001, here and on the phone. Its credentials are deleted."]
    assert linked.network.logged_out == [NUMBER]
    assert linked.states[-1] == (ALICE, f"{NUMBER} LOGGED_OUT")
    await linked.restart()
    assert linked.logins.of_user(ALICE) == ()


async def test_logging_out_without_a_connection_says_what_to_do_on_the_phone(linked: World) -> None:
    linked.network.is_phone_reachable = False
    await linked.say("logout 14155550001")
    assert "the phone could not be told: open WhatsApp on it" in said(linked)[-1]


async def test_deleting_a_session(linked: World) -> None:
    await linked.say("delete-session")
    assert said(linked)[-1].startswith("Deleted the session of +14155550001 without telling the phone")
    assert linked.network.deleted == [NUMBER]
    assert linked.network.logged_out == []


@pytest.mark.parametrize("command", ["logout", "delete-session", "reconnect", "disconnect"])
async def test_what_cannot_be_done_now_changes_nothing(linked: World, command: str) -> None:
    linked.network.errors.append(WhatsAppUnavailable())
    await linked.say(command)
    assert "Try again in a minute" in said(linked)[-1]
    assert [login.id for login in linked.logins.of_user(ALICE)] == [NUMBER]
    become(linked, S.BAD_CREDENTIALS, "wa-logged-out")
    await pass_seconds(linked, 10)
    assert said(linked)[-1] == UNLINKED


async def test_disconnecting_is_no_trouble(linked: World) -> None:
    await linked.say("disconnect")
    assert "it stays linked" in said(linked)[-1]
    await pass_seconds(linked, 86400)
    await linked.say("ping")
    assert said(linked)[-1] == ("+14155550001 is not connected: disconnected at your wish (wa-not-connected).")
    await linked.say("reconnect")
    await linked.say("ping")
    assert said(linked)[-1] == "+14155550001 is connected; its session answered in 0 ms."
    assert len(said(linked)) == 4


async def test_ping_and_reconnect_of_links_that_are_not_well(linked: World) -> None:
    linked.network.clients[NUMBER].stats_error = WhatsAppUnavailable()
    await linked.say("ping")
    assert said(linked)[-1] == "+14155550001 does not answer. Send `reconnect` to start it anew."
    linked.network.clients.clear()
    await linked.say("reconnect")
    assert "has to be linked again before it can connect: send `relogin`" in said(linked)[-1]


async def test_relogin_of_a_link_that_is_well(linked: World) -> None:
    await linked.say("relogin")
    assert said(linked)[-1] == "+14155550001 is linked and connected; there is nothing to do."


@pytest.mark.parametrize(
    ("command", "phone"),
    [
        ("relogin", ""),
        ("relogin 14155550001", ""),
        ("relogin qr", ""),
        ("relogin code", NUMBER),
        ("relogin +14155550001 phone", NUMBER),
    ],
)
async def test_relogin(linked: World, command: str, phone: str) -> None:
    linked.network.clients.clear()
    await linked.say(command)
    (pairing,) = linked.network.pairings
    assert pairing.phone == phone


async def test_commands_mean_one_of_several_logins(linked: World) -> None:
    await add(linked, OTHER)
    for command in ("ping", "logout", "reconnect", "disconnect", "delete-session", "relogin"):
        await linked.say(command)
        assert said(linked)[-1].startswith("You have several logins: name the one you mean")
    await linked.say("prefer +1-415-555-0002")
    assert said(linked)[-1] == "Your commands now mean +14155550002 when they name no login."
    await linked.restart()
    await linked.say("ping")
    assert said(linked)[-1].startswith("+14155550002 is connected")
    await linked.say("ping 14155550001")
    assert said(linked)[-1].startswith("+14155550001 is connected")
    await linked.say("set-preferred-login 14155550001")
    await linked.say("logout")
    assert linked.network.logged_out == [NUMBER]
    await linked.say("ping")
    assert said(linked)[-1].startswith("+14155550002 is connected")


@pytest.mark.parametrize("command", ["ping", "logout", "relogin", "reconnect", "disconnect", "delete-session"])
async def test_without_a_login(world: World, command: str) -> None:
    await world.open_dm()
    await world.say(command)
    assert said(world)[-1] == "You have no WhatsApp account linked. Send `login` to link one."
    await world.say(f"{command} 14155550001")
    assert said(world)[-1].startswith("You have no login of that number.")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("login fax", "I can show a QR code to scan or a code to type, or send you a link to a page."),
        ("login qr now", "I can show a QR code to scan or a code to type, or send you a link to a page."),
        ("login 14155550001", "I can show a QR code to scan or a code to type, or send you a link to a page."),
        ("login code", "The phone number is missing."),
        ("login phone call me", "A phone number has only digits."),
        ("login code 0170 1234567", "That number begins with 0, so its country code is missing."),
        ("login code 12345", "That number is too short."),
        ("pair", "Something is missing."),
        ("pair 1234567890123456", "That number is too long."),
        ("relogin 1 2", "I can link one account at a time."),
        ("relogin 1 2 3", "That is more than this command takes."),
        ("logout 1 2", "That is more than this command takes."),
        ("set-preferred-login", "Something is missing."),
        ("prefer me", "You have no login of that number."),
        ("list-logins all", "That is more than this command takes."),
        ("ping 1 2", "That is more than this command takes."),
    ],
)
async def test_commands_that_are_not_understood(linked: World, command: str, answer: str) -> None:
    await linked.say(command)
    assert said(linked)[-1].startswith(answer)
    assert not linked.network.pairings


async def test_list_and_status(linked: World) -> None:
    now = linked.clock.now()
    await add(linked, OTHER)
    stats = WaSessionStats(
        login=NUMBER,
        journal_depth=7,
        last_event_at=now - timedelta(minutes=2),
        phone_seen_at=now - timedelta(hours=3),
    )
    linked.network.clients[NUMBER].stats = stats
    linked.network.hosts = (
        WaHostStats(host="abc", pid=1, resident_bytes=52_000_000, sessions=(stats, WaSessionStats(login=OTHER))),
    )
    linked.network.set_state(
        OTHER, WaState(kind=S.CONNECTING, since=now - timedelta(minutes=1), error="wa-connecting")
    )
    await linked.say("list-logins")
    assert said(linked)[-1].splitlines() == [
        "Login | Name | State",
        "+14155550001 | Ana | connected",
        "+14155550002 | Ana | connecting (wa-connecting)",
    ]
    await linked.say("status")
    assert said(linked)[-1].splitlines() == [
        "WhatsApp links:",
        (
            "• +14155550001 Ana: connected for less than a second; last received 2 minutes ago; "
            "last sent never; 7 events waiting; phone last seen 3 hours ago; session host abc with 52 MB"
        ),
        (
            "• ⚠️ +14155550002 Ana: connecting (wa-connecting) for 1 minute; last received never; "
            "last sent never; 0 events waiting; phone last seen never; session host abc with 52 MB"
        ),
    ]
    linked.network.clients[NUMBER].stats_error = WhatsAppUnavailable()
    await linked.say("status")
    assert "its session does not answer; last received 2 minutes ago" in said(linked)[-1]


async def test_a_missing_management_room_is_made_anew(linked: World) -> None:
    linked.matrix.rooms[DM].joined.discard(ALICE)
    become(linked, S.BAD_CREDENTIALS, "wa-logged-out")
    await pass_seconds(linked, 5)
    (room_id,) = linked.rooms.made
    assert linked.matrix.bodies(room_id) == [UNLINKED]
    assert ALICE in linked.matrix.rooms[room_id].invited
    assert await linked.users.get_management_room(ALICE) == room_id
    become(linked, S.CONNECTED)
    await pass_seconds(linked, 5)
    assert linked.matrix.bodies(room_id) == [UNLINKED, BACK]
    linked.matrix.rooms[room_id].joined.clear()
    become(linked, S.BAD_CREDENTIALS, "wa-logged-out")
    await pass_seconds(linked, 5)
    assert len(linked.rooms.made) == 2
