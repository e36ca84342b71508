"""Reads the size off a JPEG's header; pure."""

from __future__ import annotations

from typing import Final

_START: Final = b"\xff\xd8"
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_NOT_FRAMES: Final = frozenset({0xC4, 0xC8, 0xCC})


def get_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height; None when it is no JPEG, or its header is cut off."""
    if not data.startswith(_START):
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            return (width, height) if width and height else None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
