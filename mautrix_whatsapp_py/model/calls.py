"""A call and how it went."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from mautrix_whatsapp_py.ids import MxEventId
from mautrix_whatsapp_py.model.portal import PortalId


class CallEnd(StrEnum):
    """How a call ended."""

    MISSED = "missed"
    ENDED = "ended"
    DECLINED = "declined"
    ELSEWHERE = "elsewhere"


class CallStory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a call; kept while it lasts."""

    portal_id: PortalId
    caller: str
    offered_at: datetime
    is_video: bool = False
    is_group: bool = False
    event_id: MxEventId | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    end: CallEnd | None = None
