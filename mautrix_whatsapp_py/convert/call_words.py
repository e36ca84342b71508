"""What the room of a caller says about a call; pure."""

from __future__ import annotations

from datetime import datetime

from mautrix_whatsapp_py.model.calls import CallEnd, CallStory


def tell_call(story: CallStory) -> str:
    """One sentence about how a call went so far."""
    kind = "video call" if story.is_video else "voice call"
    kind = f"group {kind}" if story.is_group else kind
    match story.end:
        case CallEnd.DECLINED:
            return f"📞 Incoming {kind}, declined by the bridge."
        case CallEnd.MISSED:
            return f"📞 Missed {kind}."
        case CallEnd.ELSEWHERE:
            return f"📞 Incoming {kind}, taken on another device."
        case CallEnd.ENDED:
            return f"📞 {kind.capitalize()} ended after {_duration(story.answered_at, story.ended_at)}."
        case None if story.answered_at is not None:
            return f"📞 {kind.capitalize()}, answered."
        case None:
            return f"📞 Incoming {kind}. Answer it on the phone."


def _duration(since: datetime | None, until: datetime | None) -> str:
    seconds = 0 if since is None or until is None else max(0, int((until - since).total_seconds()))
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
