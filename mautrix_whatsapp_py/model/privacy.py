"""What somebody shows of themselves on WhatsApp."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ShownKind(StrEnum):
    """What can be shown or kept back."""

    RECEIPTS = "receipts"
    TYPING = "typing"
    PRESENCE = "presence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an account shows in a chat."""

    receipts: bool = True
    typing: bool = True
    presence: bool = False

    def has(self, kind: ShownKind) -> bool:
        """Whether this is shown."""
        match kind:
            case ShownKind.RECEIPTS:
                return self.receipts
            case ShownKind.TYPING:
                return self.typing
            case ShownKind.PRESENCE:
                return self.presence
