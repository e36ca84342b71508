from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from mautrix_whatsapp_py.convert.call_words import tell_call
from mautrix_whatsapp_py.model.calls import CallEnd, CallStory
from mautrix_whatsapp_py.model.portal import PortalId

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RINGING = CallStory(portal_id=PortalId(1), caller="1@lid", offered_at=NOON)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59, "0:59"), (61, "1:01"), (3661, "1:01:01"), (-5, "0:00")]
)
def test_durations(seconds: int, text: str) -> None:
    ended = NOON + timedelta(seconds=seconds)
    story = msgspec.structs.replace(RINGING, answered_at=NOON, ended_at=ended, end=CallEnd.ENDED)
    assert tell_call(story) == f"📞 Voice call ended after {text}."


def test_a_story_survives_storing() -> None:
    raw = msgspec.json.encode(RINGING)
    assert msgspec.json.decode(raw, type=CallStory) == RINGING
    assert tell_call(msgspec.structs.replace(RINGING, is_group=True, is_video=True)) == (
        "📞 Incoming group video call. Answer it on the phone."
    )
