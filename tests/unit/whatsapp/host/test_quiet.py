"""The library does not decrypt while it encrypts."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

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
    for name in ("QUIET_SECONDS", "WAIT_SECONDS", "HOLD_SECONDS"):
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
