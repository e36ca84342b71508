"""What the parts of encryption have in common: what is configured, and what they ask about rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.http import Json

ALGORITHM = "m.megolm.v1.aes-sha2"


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoOptions:
    """What the configuration says about encryption."""

    database: str = field(repr=False)
    """Where the keys are kept: a URL as mautrix takes it."""
    key_file: Path
    """Where what opens them is kept."""
    pickle_key: str = field(default="", repr=False)
    """What opens them, where the configuration names it itself."""
    signs_itself: bool = False
    uses_msc4190: bool = True
    syncs: bool = True
    """Whether keys come by a sync of the bot's own, or with the transactions."""
    backs_up_keys: bool = False
    """Whether the homeserver keeps an encrypted copy of the keys."""
    shares_keys: bool = True
    rotation_ms: int = 0
    rotation_messages: int = 0
    min_receive: str = "unverified"
    """How well devices must be known that are given the bridge's keys, in the library's words."""
    min_send: str = "unverified"
    """The same of those whose messages are bridged."""
    min_share: str = "cross-signed-tofu"
    """The same of those that are given keys again when they ask."""
    forgets_own_keys: bool = False
    forgets_expired_keys: bool = False
    forgets_ageless_keys: bool = False
    keeps_key_of_devices: bool = False
    """Whether a room keeps its key when somebody's devices change."""

    def room_state(self) -> Json:
        """Content of the event that encrypts a room."""
        content: Json = {"algorithm": ALGORITHM}
        if self.rotation_ms:
            content["rotation_period_ms"] = self.rotation_ms
        if self.rotation_messages:
            content["rotation_period_msgs"] = self.rotation_messages
        return content


class EncryptedRooms(Protocol):
    """What the ciphers ask about rooms."""

    async def is_encrypted(self, room_id: MxRoomId) -> bool: ...

    async def fetch_room_state(self, room_id: MxRoomId) -> Json | None: ...

    def rooms_with(self, user: MxUserId) -> Sequence[MxRoomId]: ...
