"""What reading encrypted events needs; an adapter implements it, the fakes of the tests too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.model.mx import MxEncrypted, MxEvent
from mautrix_whatsapp_py.model.sealed import KeyName


class Ciphers(Protocol):
    """The keys of encrypted rooms."""

    async def decrypt(self, event: MxEncrypted, *, patience_seconds: float) -> MxEvent:
        """What an event says. Raises KeyMissing when its key does not come in time, CannotOpen when none helps."""

    def request_key(self, user: MxUserId, name: KeyName) -> None:
        """Ask the session that wrote something for its key; never waits."""

    def add_listener(self, listener: Callable[[str], None]) -> None:
        """Tell somebody the session of every key that comes; the listener must not wait or raise."""

    async def discard(self, room_id: MxRoomId) -> None:
        """Encrypt what is said in a room from now on with another key."""
