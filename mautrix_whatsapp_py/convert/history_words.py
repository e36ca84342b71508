"""What people are told of the past of their chats; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mautrix_whatsapp_py.model.backfill import BackfillRun, RunState

_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is left when the work is over."""

    number: str
    kept: int
    keep_days: int
    problems: tuple[str, ...] = ()


def tell_progress(run: BackfillRun, number: str, seconds_left: float | None) -> str:
    """How far it is."""
    parts = [
        f"{run.chats_done} of {tell_count(run.chats_total, 'chat')}",
        tell_count(run.messages_done, "message"),
    ]
    if run.files_total:
        parts.append(f"{run.files_done} of {tell_count(run.files_total, 'file')}")
    left = "" if seconds_left is None else f" {_tell_left(seconds_left)}"
    return f"Bringing the chats of {number} over: {', '.join(parts)}.{left} Send `cancel` to stop."


def tell_end(run: BackfillRun, ending: Ending) -> str:
    """What it came to."""
    files = f" and {tell_count(run.files_done, 'file')}" if run.files_done else ""
    said = f"{tell_count(run.chats_done, 'chat')} with {tell_count(run.messages_done, 'message')}{files}"
    begin = "Stopped bringing over" if run.state is RunState.CANCELLED else "Brought over"
    lines = [f"{begin} the chats of {ending.number}: {said}."]
    if ending.kept and ending.keep_days:
        lines.append(
            f"Older messages that stay stored for {tell_count(ending.keep_days, 'day')}: {ending.kept:,}. "
            "Send `backfill` to have more of them."
        )
    return "\n".join((*lines, *map(tell_problem, ending.problems)))


def tell_problem(problem: str) -> str:
    """That a chunk was damaged, and how."""
    return f"⚠️ A part of what the phone sent could not be used: {problem}."


def tell_gap(after: datetime, before: datetime) -> str:
    """That messages may be missing between two moments."""
    return (
        f"Messages between {after:%Y-%m-%d %H:%M} and {before:%Y-%m-%d %H:%M} UTC may be missing here: "
        "WhatsApp did not hand them over. Your phone has them."
    )


def tell_left_out(count: int, after: datetime, before: datetime, *, keep_days: int) -> str:
    """That messages between two moments are not brought, because there are too many."""
    more = (
        f"The command `backfill` brings them, for {tell_count(keep_days, 'day')}"
        if keep_days
        else "Your phone has them"
    )
    return (
        f"{tell_count(count, 'message')} between {after:%Y-%m-%d %H:%M} and {before:%Y-%m-%d %H:%M} UTC "
        f"are left out here, as there are so many. {more}."
    )


def _tell_left(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return "Less than a minute to go."
    return f"About {tell_count(round(seconds / _MINUTE_S), 'minute')} to go."


def tell_count(number: int, what: str) -> str:
    """So many of something."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
