"""What is told of a link: every state, the patience, the quiet hour, the levels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mautrix_whatsapp_py.bridge.link_news import (
    OFFLINE_ERROR,
    PATIENCE_SECONDS,
    QUIET_SECONDS,
    SETTLE_SECONDS,
    UNSEEN_ERROR,
    LinkNews,
    TellLater,
    TellNothing,
    TellNow,
    TroubleOver,
    judge,
    judge_phone,
    sentence,
)
from mautrix_whatsapp_py.config.tree import StatusNotices
from mautrix_whatsapp_py.ids import LoginId, MxUserId, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.whatsapp.states import TEXTS

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
S, L = WaStateKind, StatusNotices
NOTHING = TellNothing()


def login_told(error: str = "") -> Login:
    jid = WaJid(user="14155550001", server="s.whatsapp.net")
    return Login(id=LoginId("14155550001"), user=MxUserId("@a:b"), jid=jid, linked_at=NOW, told_error=error)


def state_of(kind: WaStateKind, error: str = "", *, message: str = "", until: datetime | None = None) -> WaState:
    return WaState(kind=kind, since=NOW, error=error, message=message, until=until)


def judged(
    state: WaState,
    *,
    after_seconds: float,
    told: str = "",
    told_ago_seconds: float | None = None,
    level: StatusNotices = L.ERRORS,
    down_for_seconds: float | None = None,
) -> LinkNews:
    now = NOW + timedelta(seconds=after_seconds)
    told_at = None if told_ago_seconds is None else now - timedelta(seconds=told_ago_seconds)
    down_for = after_seconds if down_for_seconds is None else down_for_seconds
    return judge(
        login_told(told),
        state,
        level=level,
        now=now,
        trouble_since=now - timedelta(seconds=down_for),
        last_told_at=told_at,
    )


AT_ONCE = {
    (
        S.BAD_CREDENTIALS,
        "wa-logged-out",
    ): "+14155550001 was unlinked from the phone. Send `login` to link it again.",
    (S.BAD_CREDENTIALS, "wa-main-device-gone"): (
        "The account +14155550001 was moved to another phone or closed, which ended its link. "
        "Send `login` to link it again."
    ),
    (S.BAD_CREDENTIALS, "wa-unknown-logout"): (
        "WhatsApp has ended the link of +14155550001 without saying why. Send `login` to link it again."
    ),
    (S.BAD_CREDENTIALS, "wa-not-logged-in"): (
        "The link of +14155550001 is lost: its session file is missing or damaged. Send `login` to link it again."
    ),
    (S.BAD_CREDENTIALS, "wa-temporary-ban"): (
        "WhatsApp has banned +14155550001 for a while. I connect again after that; do not link it anew before."
    ),
    (S.UNKNOWN_ERROR, "wa-stream-replaced"): (
        "Another program uses the link of +14155550001, so WhatsApp has disconnected this one. "
        "Stop the other program, then send `reconnect`."
    ),
    (S.UNKNOWN_ERROR, "wa-client-outdated"): (
        "WhatsApp does not accept this version of the bridge any more, so +14155550001 is offline. "
        "Ask the person who runs the bridge to update it; your link is kept."
    ),
    (S.CONNECTED, "wa-phone-offline"): (
        "The phone of +14155550001 was not online for 12 days. "
        "WhatsApp unlinks devices after 14: open WhatsApp on it."
    ),
}
DISCONNECTED = "+14155550001 is not connected to WhatsApp. I keep trying."
AFTER_A_WHILE = {
    (S.STARTING, ""): DISCONNECTED,
    (S.CONNECTING, "wa-connecting"): DISCONNECTED,
    (S.TRANSIENT_DISCONNECT, "wa-transient-disconnect"): DISCONNECTED,
    (S.TRANSIENT_DISCONNECT, "wa-keepalive-timeout"): (
        "WhatsApp has not answered +14155550001 for a while. I keep trying."
    ),
    (S.TRANSIENT_DISCONNECT, "wa-connection-failed"): (
        "WhatsApp cannot be reached for +14155550001. I keep trying."
    ),
    (S.UNKNOWN_ERROR, "wa-stream-error"): (
        "WhatsApp refuses the connection of +14155550001 (stream-error). I keep trying; your link is kept."
    ),
    (S.UNKNOWN_ERROR, "wa-connect-failure-409"): (
        "WhatsApp refuses the connection of +14155550001 (connect-failure-409). I keep trying; your link is kept."
    ),
    (S.UNKNOWN_ERROR, "wa-disk-full"): (
        "The bridge's disk is full, so +14155550001 receives nothing for now; WhatsApp keeps your messages. "
        "Ask the person who runs the bridge to make room."
    ),
}
WISHED = (S.TRANSIENT_DISCONNECT, "wa-not-connected")
TROUBLE = list(AT_ONCE | AFTER_A_WHILE)


def test_the_tables_miss_no_state() -> None:
    known = {error for _, error in [*TROUBLE, WISHED]}
    assert set(TEXTS) <= known
    assert {kind for kind, _ in TROUBLE} | {S.LOGGED_OUT} == set(S)


@pytest.mark.parametrize(("kind", "error"), AT_ONCE)
def test_what_waiting_does_not_heal_is_told_as_soon_as_it_has_settled(kind: WaStateKind, error: str) -> None:
    state = state_of(kind, error)
    assert judged(state, after_seconds=1) == TellLater(after_seconds=SETTLE_SECONDS - 1)
    assert judged(state, after_seconds=SETTLE_SECONDS) == TellNow(text=AT_ONCE[kind, error], error=error)
    assert judged(state, after_seconds=SETTLE_SECONDS, told="wa-connection-failed", told_ago_seconds=5) == TellNow(
        text=AT_ONCE[kind, error], error=error
    )


@pytest.mark.parametrize(("kind", "error"), AFTER_A_WHILE)
def test_what_may_heal_has_three_minutes(kind: WaStateKind, error: str) -> None:
    state = state_of(kind, error)
    assert judged(state, after_seconds=0) == TellLater(after_seconds=180)
    assert judged(state, after_seconds=179) == TellLater(after_seconds=1)
    told = TellNow(text=AFTER_A_WHILE[kind, error], error=error or kind.value.lower())
    assert judged(state, after_seconds=PATIENCE_SECONDS) == told


@pytest.mark.parametrize(("kind", "error"), AFTER_A_WHILE)
def test_three_minutes_are_counted_from_when_the_link_was_well(kind: WaStateKind, error: str) -> None:
    news = judged(state_of(kind, error), after_seconds=0, down_for_seconds=PATIENCE_SECONDS)
    assert isinstance(news, TellNow)


@pytest.mark.parametrize(("kind", "error"), TROUBLE)
def test_nothing_is_told_twice(kind: WaStateKind, error: str) -> None:
    told = error or kind.value.lower()
    assert judged(state_of(kind, error), after_seconds=86400, told=told) == NOTHING


@pytest.mark.parametrize(("kind", "error"), AFTER_A_WHILE)
def test_trouble_that_changes_its_name_is_no_news(kind: WaStateKind, error: str) -> None:
    assert judged(state_of(kind, error), after_seconds=86400, told="wa-other") == NOTHING


@pytest.mark.parametrize("warning", [UNSEEN_ERROR, OFFLINE_ERROR])
def test_a_warning_about_the_phone_does_not_hide_trouble(warning: str) -> None:
    news = judged(state_of(S.TRANSIENT_DISCONNECT, "wa-connection-failed"), after_seconds=180, told=warning)
    assert isinstance(news, TellNow)


@pytest.mark.parametrize("level", L)
@pytest.mark.parametrize("told", ["", "wa-connection-failed"])
def test_who_has_disconnected_a_link_knows(level: StatusNotices, told: str) -> None:
    assert judged(state_of(*WISHED), after_seconds=86400, level=level, told=told) == NOTHING


@pytest.mark.parametrize("told_ago", [1, 600, QUIET_SECONDS - 1])
def test_a_link_that_comes_and_goes_is_told_of_once_an_hour(told_ago: float) -> None:
    state = state_of(S.TRANSIENT_DISCONNECT, "wa-connection-failed")
    news = judged(state, after_seconds=600, told_ago_seconds=told_ago)
    assert news == TellLater(after_seconds=QUIET_SECONDS - told_ago)
    assert isinstance(judged(state, after_seconds=600, told_ago_seconds=QUIET_SECONDS), TellNow)


WELL = state_of(S.CONNECTED)
BACK = TellNow(text="+14155550001 is back online.", error="")
CONNECTED = TellNow(text="+14155550001 is connected to WhatsApp.", error="")
PHONE_BACK = TellNow(text="The phone of +14155550001 was online again.", error="")


@pytest.mark.parametrize(
    ("told", "level", "told_ago", "news"),
    [
        ("", L.ERRORS, None, NOTHING),
        ("", L.ALL, None, CONNECTED),
        ("", L.ALL, 60, NOTHING),
        ("", L.ALL, QUIET_SECONDS, CONNECTED),
        ("wa-connection-failed", L.ERRORS, 60, BACK),
        ("wa-connection-failed", L.ALL, 60, BACK),
        ("wa-logged-out", L.ERRORS, None, BACK),
        ("starting", L.ERRORS, None, BACK),
        (OFFLINE_ERROR, L.ERRORS, None, PHONE_BACK),
        (UNSEEN_ERROR, L.ERRORS, None, NOTHING),
        (UNSEEN_ERROR, L.ALL, None, NOTHING),
    ],
)
def test_back_online(told: str, level: StatusNotices, told_ago: float | None, news: LinkNews) -> None:
    assert judged(WELL, after_seconds=0, told=told, level=level, told_ago_seconds=told_ago) == news


@pytest.mark.parametrize(("kind", "error"), [*TROUBLE, WISHED, (S.CONNECTED, "")])
@pytest.mark.parametrize("told", ["", "wa-connection-failed", UNSEEN_ERROR])
def test_who_wants_no_notices_gets_none(kind: WaStateKind, error: str, told: str) -> None:
    assert judged(state_of(kind, error), after_seconds=86400, told=told, level=L.NONE) == NOTHING


def test_a_ban_is_told_with_its_end_and_reason() -> None:
    message = "WhatsApp has banned this account until 2026-01-02 12:00 UTC (broadcast lists were used too much)."
    state = state_of(S.BAD_CREDENTIALS, "wa-temporary-ban", message=message, until=NOW + timedelta(days=1))
    assert sentence(login_told(), state) == f"+14155550001: {message}"


@pytest.mark.parametrize(
    ("days", "told", "level", "kind"),
    [
        (None, "", L.ERRORS, TellNothing),
        (0, "", L.ERRORS, TellNothing),
        (9.99, "", L.ERRORS, TellNothing),
        (10, "", L.ERRORS, TellNow),
        (10, "", L.ALL, TellNow),
        (10, "", L.NONE, TellNothing),
        (13, "", L.ERRORS, TellNow),
        (10, UNSEEN_ERROR, L.ERRORS, TellNothing),
        (12, OFFLINE_ERROR, L.ERRORS, TellNothing),
        (10, "wa-connection-failed", L.ERRORS, TellNothing),
        (0, UNSEEN_ERROR, L.ERRORS, TroubleOver),
        (None, UNSEEN_ERROR, L.ERRORS, TroubleOver),
        (0, OFFLINE_ERROR, L.ERRORS, TellNothing),
    ],
)
def test_phones(days: float | None, told: str, level: StatusNotices, kind: type[LinkNews]) -> None:
    seen_at = None if days is None else NOW - timedelta(days=days)
    news = judge_phone(login_told(told), seen_at=seen_at, now=NOW, level=level)
    assert isinstance(news, kind)
    if isinstance(news, TellNow):
        assert news == TellNow(
            text="The phone of +14155550001 was not online for 10 days. "
            "WhatsApp unlinks devices after 14: open WhatsApp on it.",
            error=UNSEEN_ERROR,
        )
