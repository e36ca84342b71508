from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mautrix_whatsapp_py.convert.link_words import state_words
from mautrix_whatsapp_py.model.wa_link import BAN_ERROR, WaLinkFact, WaLinkKind, WaState, WaStateKind
from mautrix_whatsapp_py.whatsapp.states import TEXTS, initial, step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
GOLDEN = {
    ("STARTING", ""): "starting",
    ("CONNECTING", "wa-connecting"): "connecting (wa-connecting)",
    ("CONNECTED", ""): "connected",
    ("CONNECTED", "wa-phone-offline"): "connected, but its phone was not online for 12 days (wa-phone-offline)",
    ("TRANSIENT_DISCONNECT", "wa-transient-disconnect"): "disconnected, trying again (wa-transient-disconnect)",
    ("TRANSIENT_DISCONNECT", "wa-not-connected"): "disconnected at your wish (wa-not-connected)",
    ("TRANSIENT_DISCONNECT", "wa-keepalive-timeout"): (
        "WhatsApp does not answer, trying again (wa-keepalive-timeout)"
    ),
    ("TRANSIENT_DISCONNECT", "wa-connection-failed"): (
        "WhatsApp cannot be reached, trying again (wa-connection-failed)"
    ),
    ("BAD_CREDENTIALS", "wa-logged-out"): "unlinked on the phone, link it again (wa-logged-out)",
    ("BAD_CREDENTIALS", "wa-main-device-gone"): "its phone is gone, link it again (wa-main-device-gone)",
    ("BAD_CREDENTIALS", "wa-unknown-logout"): "link ended by WhatsApp, link it again (wa-unknown-logout)",
    ("BAD_CREDENTIALS", "wa-not-logged-in"): "not linked any more, link it again (wa-not-logged-in)",
    ("BAD_CREDENTIALS", "wa-temporary-ban"): "banned for a while (wa-temporary-ban)",
    ("UNKNOWN_ERROR", "wa-stream-replaced"): "another program uses this link (wa-stream-replaced)",
    ("UNKNOWN_ERROR", "wa-client-outdated"): (
        "WhatsApp does not accept this version of the bridge (wa-client-outdated)"
    ),
    ("UNKNOWN_ERROR", "wa-disk-full"): "the bridge's disk is full (wa-disk-full)",
    ("UNKNOWN_ERROR", "wa-stream-error"): "refused by WhatsApp (wa-stream-error)",
    ("UNKNOWN_ERROR", "wa-connect-failure-409"): "refused by WhatsApp (wa-connect-failure-409)",
    ("LOGGED_OUT", ""): "unlinked",
}


@pytest.mark.parametrize(("kind", "error"), GOLDEN)
def test_words(kind: str, error: str) -> None:
    assert state_words(WaState(kind=WaStateKind(kind), since=NOW, error=error)) == GOLDEN[kind, error]


def test_a_ban_has_an_end() -> None:
    state = WaState(kind=WaStateKind.BAD_CREDENTIALS, since=NOW, error=BAN_ERROR, until=UNTIL)
    assert state_words(state) == "banned until 2026-01-02 03:04 UTC (wa-temporary-ban)"


def test_the_table_misses_no_error() -> None:
    assert set(TEXTS) <= {error for _, error in GOLDEN}
    assert set(WaStateKind) == {WaStateKind(kind) for kind, _ in GOLDEN}


@pytest.mark.parametrize("kind", WaLinkKind)
def test_whatever_happens_there_are_words_and_a_sentence(kind: WaLinkKind) -> None:
    state = step(initial(NOW), WaLinkFact(kind=kind, at=NOW, code="42")).state
    assert state_words(state)
    assert bool(state.message) == bool(state.error)
    assert not state.message or state.message.endswith(".")
