"""When a lost link is tried again, and when it counts as degraded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mautrix_whatsapp_py.config.channel import ChannelReconnect

DEGRADED = "DEGRADED"
DEGRADED_TEXT = "The link stays down. WhatsApp is asked again from time to time; check the internet connection."


def wait_seconds(keys: ChannelReconnect, attempt: int, chance: float) -> float:
    """How long to wait before an attempt, the first being 0; `chance` is from 0 to 1."""
    # Nobody waits for an attempt whose factor alone would be beyond a float.
    grown = keys.initial_ms * keys.factor ** min(attempt, 100)
    return min(keys.max_ms, grown) / 1000 * (1 + keys.jitter * (2 * chance - 1))


@dataclass(slots=True, kw_only=True)
class Reconnecting:
    """The attempts of one link that is down."""

    keys: ChannelReconnect
    draw: Callable[[], float]
    """A chance from 0 to 1."""
    attempts: int = 0
    next_at: float | None = None
    is_degraded: bool = False
    """Whether all attempts came to nothing."""

    def is_due(self, now: float) -> bool:
        """Whether to try now; each time counts as an attempt."""
        if self.next_at is None:
            self.next_at = now + wait_seconds(self.keys, self.attempts, self.draw())
        if self.is_degraded or now < self.next_at:
            return False
        if self.attempts >= self.keys.max_attempts:
            self.is_degraded = True
            return False
        self.attempts += 1
        self.next_at = now + wait_seconds(self.keys, self.attempts, self.draw())
        return True
