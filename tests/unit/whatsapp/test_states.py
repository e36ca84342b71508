"""Facts about a link, and what the user is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mautrix_whatsapp_py.model.wa_link import WaLinkFact, WaLinkKind, WaState, WaStateKind
from mautrix_whatsapp_py.whatsapp.states import TEXTS, LinkView, initial, step

NOW = datetime(2030, 1, 1, tzinfo=UTC)
K, S = WaLinkKind, WaStateKind


def after(*kinds: WaLinkKind | tuple[WaLinkKind, str]) -> LinkView:
    view = initial(NOW)
    for number, item in enumerate(kinds):
        kind, code = item if isinstance(item, tuple) else (item, "")
        view = step(view, WaLinkFact(kind=kind, at=NOW + timedelta(seconds=number), code=code))
    return view


@pytest.mark.parametrize(
    ("facts", "kind", "error"),
    [
        ([], S.STARTING, ""),
        ([K.STARTING], S.STARTING, ""),
        ([K.DIALLING], S.CONNECTING, "wa-connecting"),
        ([K.DIALLING, K.DIAL_FAILED], S.TRANSIENT_DISCONNECT, "wa-connection-failed"),
        ([K.DIAL_FAILED, K.DIALLING], S.TRANSIENT_DISCONNECT, "wa-connection-failed"),
        ([K.DIALLING, K.CONNECTED], S.CONNECTED, ""),
        ([K.CONNECTED, K.DISCONNECTED], S.TRANSIENT_DISCONNECT, "wa-transient-disconnect"),
        ([K.CONNECTED, K.KEEPALIVE_TIMEOUT], S.TRANSIENT_DISCONNECT, "wa-keepalive-timeout"),
        ([K.CONNECTED, K.KEEPALIVE_TIMEOUT, K.KEEPALIVE_RESTORED], S.CONNECTED, ""),
        ([K.CONNECTED, (K.LOGGED_OUT, "401")], S.BAD_CREDENTIALS, "wa-logged-out"),
        ([K.CONNECTED, (K.LOGGED_OUT, "403")], S.BAD_CREDENTIALS, "wa-main-device-gone"),
        ([K.CONNECTED, (K.LOGGED_OUT, "406")], S.BAD_CREDENTIALS, "wa-unknown-logout"),
        ([(K.NOT_LOGGED_IN, "corrupt")], S.BAD_CREDENTIALS, "wa-not-logged-in"),
        ([K.CONNECTED, K.REPLACED], S.UNKNOWN_ERROR, "wa-stream-replaced"),
        ([K.OUTDATED], S.UNKNOWN_ERROR, "wa-client-outdated"),
        ([(K.TEMPORARY_BAN, "BLOCKED_BY_USERS")], S.BAD_CREDENTIALS, "wa-temporary-ban"),
        ([(K.CONNECT_FAILURE, "409")], S.UNKNOWN_ERROR, "wa-connect-failure-409"),
        ([(K.CONNECT_FAILURE, "")], S.UNKNOWN_ERROR, "wa-connect-failure-unknown"),
        ([(K.STREAM_ERROR, "503")], S.UNKNOWN_ERROR, "wa-stream-error"),
        ([(K.STREAM_ERROR, "503"), K.CONNECTED], S.CONNECTED, ""),
        ([K.CONNECTED, K.PUMP_DIED], S.TRANSIENT_DISCONNECT, "wa-transient-disconnect"),
        ([K.CONNECTED, K.DEAF], S.TRANSIENT_DISCONNECT, "wa-transient-disconnect"),
        ([K.CONNECTED, K.HOST_LOST], S.TRANSIENT_DISCONNECT, "wa-transient-disconnect"),
        ([K.CONNECTED, K.STOPPED], S.TRANSIENT_DISCONNECT, "wa-not-connected"),
        ([(K.LOGGED_OUT, "401"), K.HOST_LOST], S.BAD_CREDENTIALS, "wa-logged-out"),
        ([(K.LOGGED_OUT, "401"), K.STOPPED], S.BAD_CREDENTIALS, "wa-logged-out"),
        ([(K.LOGGED_OUT, "401"), K.STARTING], S.BAD_CREDENTIALS, "wa-logged-out"),
        ([K.REPLACED, K.STOPPED], S.UNKNOWN_ERROR, "wa-stream-replaced"),
        ([K.REPLACED, K.DIALLING, K.CONNECTED], S.CONNECTED, ""),
        ([K.CONNECTED, K.PHONE_UNSEEN], S.CONNECTED, "wa-phone-offline"),
        ([K.CONNECTED, K.PHONE_UNSEEN, K.PHONE_SEEN], S.CONNECTED, ""),
        ([K.PHONE_UNSEEN, K.DISCONNECTED], S.TRANSIENT_DISCONNECT, "wa-transient-disconnect"),
        ([K.PHONE_UNSEEN, K.DISCONNECTED, K.CONNECTED], S.CONNECTED, "wa-phone-offline"),
        ([K.CONNECTED, K.DISK_FULL], S.UNKNOWN_ERROR, "wa-disk-full"),
        ([K.CONNECTED, K.DISK_FULL, K.DISK_FREE], S.CONNECTED, ""),
    ],
)
def test_state_after(facts: list[WaLinkKind], kind: WaStateKind, error: str) -> None:
    state = after(*facts).state
    assert (state.kind, state.error) == (kind, error)
    assert bool(state.message) == bool(error)


@pytest.mark.parametrize("kind", WaLinkKind)
def test_every_fact_is_understood(kind: WaLinkKind) -> None:
    assert after(K.CONNECTED, kind).state.kind in WaStateKind


def test_an_unchanged_state_keeps_its_time() -> None:
    assert after(K.DIAL_FAILED, K.DIALLING, K.DIAL_FAILED).state.since == NOW


def test_a_ban_tells_its_end_and_its_reason() -> None:
    until = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    fact = WaLinkFact(kind=K.TEMPORARY_BAN, at=NOW, code="BLOCKED_BY_USERS", until=until)
    state = step(initial(NOW), fact).state
    assert state.until == until
    assert state.message == (
        "WhatsApp has banned this account until 2030-01-02 03:04 UTC (many people have blocked this number). "
        "The bridge connects again after that; do not link it anew before."
    )
    assert not state.needs_login


@pytest.mark.parametrize(
    ("state", "is_usable", "needs_login"),
    [
        (WaState(kind=S.CONNECTED, since=NOW), True, False),
        (WaState(kind=S.BAD_CREDENTIALS, since=NOW, error="wa-logged-out"), False, True),
        (WaState(kind=S.UNKNOWN_ERROR, since=NOW, error="wa-stream-replaced"), False, False),
        (WaState(kind=S.CONNECTING, since=NOW), False, False),
    ],
)
def test_what_a_state_means(state: WaState, is_usable: bool, needs_login: bool) -> None:
    assert (state.is_usable, state.needs_login) == (is_usable, needs_login)


def test_sentences_have_no_gaps() -> None:
    assert all(text == text.strip() and "  " not in text for text in TEXTS.values())
