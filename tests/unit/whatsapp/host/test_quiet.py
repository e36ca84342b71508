"""The library does not decrypt while it encrypts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mautrix_whatsapp_py.model.wa_link import WaLinkKind
from mautrix_whatsapp_py.whatsapp.host import quiet as quiet_module
from mautrix_whatsapp_py.whatsapp.host.quiet import Quiet

DEADLINE_SECONDS = 30.0


def start(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def finish(thread: threading.Thread) -> None:
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that only a fault would reach."""
    for name in ("QUIET_SECONDS", "WAIT_SECONDS", "HOLD_SECONDS", "RUSH_SECONDS", "BACKLOG_SECONDS"):
        monkeypatch.setattr(quiet_module, name, DEADLINE_SECONDS)


def test_without_messages_a_send_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_module, "QUIET_SECONDS", 0.0)
    with Quiet().wanted():
        pass


def test_without_a_send_messages_are_not_held() -> None:
    quiet = Quiet()
    for _ in range(100):
        quiet.after_message()


def test_amid_messages_a_send_waits_for_the_next_one_and_holds_it() -> None:
    quiet, steps = Quiet(), list[str]()
    quiet.after_message()
    is_sending, may_end = threading.Event(), threading.Event()

    def send() -> None:
        with quiet.wanted():
            is_sending.set()
            assert may_end.wait(DEADLINE_SECONDS)
            steps.append("sent")

    def receive() -> None:
        quiet.after_message()
        steps.append("went on")

    sending = start(send)
    assert not is_sending.is_set()
    while not quiet._is_wanted:
        pass
    receiving = start(receive)
    assert is_sending.wait(DEADLINE_SECONDS)
    assert steps == []
    may_end.set()
    finish(sending)
    finish(receiving)
    assert sorted(steps) == ["sent", "went on"]
    assert steps[0] == "sent"


def test_a_send_that_takes_its_time_holds_messages_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_module, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(quiet_module, "HOLD_SECONDS", 0.01)
    quiet = Quiet()
    with quiet.wanted():
        finish(start(quiet.after_message))


def test_a_send_waits_for_quiet_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_module, "WAIT_SECONDS", 0.01)
    quiet = Quiet()
    quiet.after_message()
    with quiet.wanted():
        pass
    quiet.after_message()


def test_a_send_that_fails_lets_messages_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_module, "QUIET_SECONDS", 0.0)
    quiet = Quiet()
    with pytest.raises(ValueError, match="no"), quiet.wanted():
        raise ValueError("no")
    quiet.after_message()


def test_in_a_rush_messages_are_not_held() -> None:
    quiet = Quiet()
    with wanting(quiet):
        for _ in range(100):
            quiet.after_message(is_rush=True)


def test_in_a_rush_a_send_waits_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_module, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(quiet_module, "WAIT_SECONDS", 0.0)
    quiet = Quiet()
    quiet.after_message(is_rush=True)
    last = time.monotonic()
    with quiet.wanted():
        assert time.monotonic() - last >= 0.05


def test_what_waited_for_the_link_is_not_held_and_sends_come_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = Quiet()
    quiet.note_link(WaLinkKind.DIALLING)
    quiet.note_link(WaLinkKind.CONNECTED)
    with wanting(quiet) as is_sending:
        for _ in range(100):
            quiet.after_message()
        assert not is_sending.is_set()
        monkeypatch.setattr(quiet_module, "QUIET_SECONDS", 0.0)
        quiet.after_backlog()
        assert is_sending.wait(DEADLINE_SECONDS)


def test_a_server_that_never_says_that_all_has_come_does_not_stop_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_module, "BACKLOG_SECONDS", 0.01)
    monkeypatch.setattr(quiet_module, "QUIET_SECONDS", 0.0)
    quiet = Quiet()
    quiet.note_link(WaLinkKind.DISCONNECTED)
    for kind in (None, WaLinkKind.CONNECTED):
        if kind is not None:
            quiet.note_link(kind)
        with quiet.wanted():
            pass


def test_what_came_before_the_link_was_called_up_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_module, "QUIET_SECONDS", 0.0)
    quiet = Quiet()
    quiet.note_link(WaLinkKind.DIALLING)
    quiet.after_backlog()
    quiet.note_link(WaLinkKind.CONNECTED)
    with quiet.wanted():
        pass


@contextmanager
def wanting(quiet: Quiet) -> Iterator[threading.Event]:
    """Somebody wants to send, and has not yet; set once they do."""
    is_sending = threading.Event()
    quiet.after_message(is_rush=True)

    def send() -> None:
        with quiet.wanted():
            is_sending.set()

    sending = start(send)
    while not quiet._is_wanted:
        pass
    yield is_sending
    if not is_sending.is_set():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(quiet_module, "QUIET_SECONDS", 0.0)
            quiet.after_backlog()
            finish(sending)
    finish(sending)
