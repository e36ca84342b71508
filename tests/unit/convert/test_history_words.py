"""What people are told of the past of their chats."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mautrix_whatsapp_py.convert.history_words import Ending, tell_end, tell_gap, tell_left_out, tell_progress
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.backfill import BackfillRun, RunState

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(state: RunState = RunState.DONE, **counts: int) -> BackfillRun:
    return BackfillRun(login_id=LoginId("491"), state=state, started_at=START, **counts)


@pytest.mark.parametrize(
    ("seconds", "left"), [(None, ""), (5, " Less than a minute to go."), (61, " About 1 minute to go.")]
)
def test_how_far_it_is(seconds: float | None, left: str) -> None:
    said = tell_progress(run(chats_done=1, chats_total=2, messages_done=1500), "+491", seconds)
    assert said == f"Bringing the chats of +491 over: 1 of 2 chats, 1,500 messages.{left} Send `cancel` to stop."


def test_files_are_told_of_when_there_are_any() -> None:
    said = tell_progress(run(chats_done=2, chats_total=2, files_done=1, files_total=4), "+491", None)
    assert "1 of 4 files" in said


def test_what_it_came_to() -> None:
    ending = Ending(number="+491", kept=1, keep_days=14, problems=("it is empty",))
    said = tell_end(run(chats_done=1, messages_done=2, files_done=3), ending)
    assert said.splitlines() == [
        "Brought over the chats of +491: 1 chat with 2 messages and 3 files.",
        "Older messages that stay stored for 14 days: 1. Send `backfill` to have more of them.",
        "⚠️ A part of what the phone sent could not be used: it is empty.",
    ]
    assert "Stopped" in tell_end(run(RunState.CANCELLED), ending)
    assert "Older" not in tell_end(run(), Ending(number="+491", kept=5, keep_days=0))


def test_a_gap() -> None:
    assert "between 2026-01-01 00:00 and 2026-01-02 00:00 UTC" in tell_gap(START, START.replace(day=2))


def test_what_was_too_much() -> None:
    until = START.replace(day=2)
    said = tell_left_out(1200, START, until, keep_days=14)
    assert said.startswith("1,200 messages between 2026-01-01 00:00 and 2026-01-02 00:00 UTC are left out here")
    assert "`backfill` brings them, for 14 days" in said
    assert "backfill" not in tell_left_out(1, START, until, keep_days=0)
    assert tell_left_out(1, START, until, keep_days=0).startswith("1 message ")
