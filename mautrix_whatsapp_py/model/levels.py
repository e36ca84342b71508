"""Power levels of a room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mautrix_whatsapp_py.ids import MxUserId

DEFAULT_STATE_LEVEL = 50
CREATOR_LEVEL = 2**53
"""Above every level that can be given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxLevels:
    """Who may do what."""

    users: Mapping[MxUserId, int] = field(default_factory=dict)
    users_default: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    state_default: int = DEFAULT_STATE_LEVEL
    events_default: int = 0
    creators: frozenset[MxUserId] = frozenset()
    """Who may do everything, whatever the levels say; rooms of older versions have none."""

    def of(self, user: MxUserId) -> int:
        """Somebody's level."""
        return CREATOR_LEVEL if user in self.creators else self.users.get(user, self.users_default)

    def needed_for(self, event_type: str) -> int:
        """What it takes to set a kind of state."""
        return self.events.get(event_type, self.state_default)
