"""What an end of a link means for its next try; pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from mautrix_whatsapp_py.model.wa_link import WaLinkFact, WaLinkKind
from mautrix_whatsapp_py.tasks import Backoff
from mautrix_whatsapp_py.whatsapp.folders import BUSY
from mautrix_whatsapp_py.whatsapp.host.facts import TERMINAL
from mautrix_whatsapp_py.whatsapp.host.timings import Timings


def rest_seconds(fact: WaLinkFact, now: datetime, backoff: Backoff, timings: Timings) -> float | None:
    """How long to wait before the next try; None when only the owner of the link can change anything."""
    match fact.kind:
        case WaLinkKind.PUMP_DIED | WaLinkKind.DEAF:
            # Once at once; but an event that kills the pump may well come again.
            is_first, seconds = not backoff.attempt, backoff.next_seconds()
            return 0.0 if is_first else min(seconds, timings.retry_pump_seconds)
        case WaLinkKind.TEMPORARY_BAN:
            until = fact.until or now + timedelta(hours=1)
            return max((until - now).total_seconds(), 1.0)
        case WaLinkKind.CONNECT_FAILURE:
            return max(backoff.next_seconds(), timings.refused_seconds)
        case kind if kind in TERMINAL:
            return None
        case _:
            return backoff.next_seconds()


def decode_unusable(code: str, reason: str) -> WaLinkKind:
    """What it means that a session file cannot be used; `reason` says why the link ended before."""
    if code == BUSY:
        # Ending it for good would have its owner link again, and the server keep all that comes.
        return WaLinkKind.DIAL_FAILED
    return WaLinkKind.LOGGED_OUT if reason else WaLinkKind.NOT_LOGGED_IN
