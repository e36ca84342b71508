"""Who is told when an account is not its user's any more."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from mautrix_whatsapp_py.model.login import Login


class Cause(StrEnum):
    """Why an account goes."""

    LOGOUT = "logout"
    """Its user said so."""
    LOST = "lost"
    """WhatsApp has ended its link."""
    HANDED_OVER = "handed-over"
    """Somebody else has linked it."""


class Farewell(Protocol):
    """Sees to what an account leaves behind."""

    async def decide(self, login: Login, cause: Cause) -> None:
        """Remember that an account goes; before it is forgotten. Raises StoreUnavailable."""

    def begin(self) -> None:
        """It is forgotten now; never waits."""


class NoFarewell:
    """Leaves everything as it is."""

    async def decide(self, login: Login, cause: Cause) -> None:
        """See Farewell."""

    def begin(self) -> None:
        """See Farewell."""
