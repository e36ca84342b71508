"""The door through which a command leaves the bridge and its answer comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.mx import MxNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """What somebody asked of the bot, without the prefix.

    A crash may have it asked again: `event_id` is then the same.
    """

    event_id: MxEventId
    room_id: MxRoomId
    sender: MxUserId
    level: PermissionLevel
    text: str
    is_management: bool
    replied_to: MxEventId | None = None
    """The event the command answers."""
    answered_in: MxRoomId | None = None
    """Where the answer goes, when that is another room than the one the command is about."""


class CommandDoor(Protocol):
    """Runs commands."""

    async def run(self, request: CommandRequest) -> Sequence[MxNotice]:
        """Carry out a command; what to answer. Raises only what heals when tried again."""
