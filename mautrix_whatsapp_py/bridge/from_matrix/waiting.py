"""Events that wait until WhatsApp can be reached, in their order."""

from __future__ import annotations

from collections import deque

from mautrix_whatsapp_py.bridge.from_matrix.outgoing import Letter
from mautrix_whatsapp_py.ids import LoginId, MxEventId
from mautrix_whatsapp_py.model.portal import PortalId

Place = tuple[PortalId, LoginId]


class Waiting:
    """A line per chat and login; others of the chat, and what comes from WhatsApp, go on meanwhile."""

    def __init__(self) -> None:
        self._lines: dict[Place, deque[Letter]] = {}

    @property
    def depth(self) -> int:
        """How many wait."""
        return sum(len(line) for line in self._lines.values())

    def get_first(self, place: Place) -> Letter | None:
        """Who is next; stays in front until removed."""
        line = self._lines.get(place)
        return line[0] if line else None

    def get_places(self, login_id: LoginId | None = None) -> list[Place]:
        """Where somebody waits, for one login or for any."""
        return [place for place in self._lines if login_id in (None, place[1])]

    def add(self, place: Place, letter: Letter) -> None:
        """Wait behind all others."""
        self._lines.setdefault(place, deque()).append(letter)

    def remove(self, place: Place, letter: Letter) -> None:
        """Wait no longer."""
        line = self._lines.get(place)
        if line is None or letter not in line:
            return
        line.remove(letter)
        if not line:
            del self._lines[place]

    def find(self, portal_id: PortalId, event_id: MxEventId) -> tuple[Place, Letter] | None:
        """An event that waits."""
        for place, line in self._lines.items():
            if place[0] == portal_id:
                for letter in line:
                    if letter.event.origin.event_id == event_id:
                        return place, letter
        return None
