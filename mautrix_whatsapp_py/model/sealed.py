"""Encrypted events that cannot be read, or not yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mautrix_whatsapp_py.ids import MxRoomId


class OpenFailure(StrEnum):
    """Why no key would help."""

    UNKNOWN_KIND = "unknown_kind"
    CORRUPT = "corrupt"
    REPEATED = "repeated"
    UNKNOWN_DEVICE = "unknown_device"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """Which key an event needs, and who has it."""

    room_id: MxRoomId
    session: str
    device: str
    sender_key: str
    is_refused: bool = False
    """Whether its owner has said that the bridge shall not have it."""


class KeyMissing(Exception):
    """The key of an event has not come."""

    def __init__(self, name: KeyName) -> None:
        super().__init__(name.session)
        self.name = name


class CannotOpen(Exception):
    """An event that will never be read."""

    def __init__(self, failure: OpenFailure) -> None:
        super().__init__(failure)
        self.failure = failure
