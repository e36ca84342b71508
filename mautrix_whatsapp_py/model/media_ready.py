"""What conversion makes of files."""

from __future__ import annotations

from enum import StrEnum

from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_context import WaKind


class ReadyThumbnail(WaStruct, frozen=True, kw_only=True):
    """A small picture of a file, in a file of its own."""

    path: str
    mime_type: str
    size_bytes: int
    width: int
    height: int


class ReadyFile(WaStruct, frozen=True, kw_only=True):
    """A file that can be sent, and what is to be said of it; an empty path is the file as it came."""

    path: str = ""
    kind: WaKind
    mime_type: str = ""
    width: int = 0
    height: int = 0
    duration_ms: int = 0
    waveform: bytes = b""
    """Loudness over time, 64 values from 0 to 100."""
    is_animated: bool = False
    blurhash: str = ""
    thumbnail: ReadyThumbnail | None = None
    preview: bytes = b""
    """A JPEG of a few kilobytes, which WhatsApp shows until the file is there."""


class UnreadyReason(StrEnum):
    """Why nothing was made of a file."""

    BROKEN = "broken"
    """It is not what it says, or damaged."""
    UNKNOWN = "unknown"
    """It is of a kind that nobody here can read."""
    TOO_MANY_PIXELS = "too-many-pixels"
    TWO_KINDS = "two-kinds"
    """It is a file of one kind with one of another kind hidden in it."""
    TOO_LARGE = "too-large"
    """What came of it is larger than may be sent."""
    TOO_SLOW = "too-slow"
    TOO_MUCH_MEMORY = "too-much-memory"
    CRASHED = "crashed"

    @property
    def is_dangerous(self) -> bool:
        """Whether somebody may have made the file to do harm, so that it is not sent in another form either."""
        return self in (UnreadyReason.TOO_MANY_PIXELS, UnreadyReason.TWO_KINDS)
