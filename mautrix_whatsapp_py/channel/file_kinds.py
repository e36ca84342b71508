"""As what a file of the channel goes to WhatsApp: what phones do not show in a chat goes as a document."""

from __future__ import annotations

from typing import Final

from mautrix_whatsapp_py.convert.media import bare_type
from mautrix_whatsapp_py.model.wa_context import WaKind

OPUS: Final = "audio/ogg; codecs=opus"
_MEGABYTE: Final = 1 << 20
_MAX_BYTES: Final = {
    WaKind.IMAGE: 16 * _MEGABYTE,
    WaKind.VIDEO: 64 * _MEGABYTE,
    WaKind.GIF: 16 * _MEGABYTE,
    WaKind.AUDIO: 16 * _MEGABYTE,
    WaKind.VOICE: 16 * _MEGABYTE,
}
_SHOWN: Final = {
    "image/jpeg": WaKind.IMAGE,
    "image/png": WaKind.IMAGE,
    "video/mp4": WaKind.VIDEO,
    "video/3gpp": WaKind.VIDEO,
    "audio/aac": WaKind.AUDIO,
    "audio/mp4": WaKind.AUDIO,
    "audio/amr": WaKind.AUDIO,
    "audio/mpeg": WaKind.AUDIO,
    "audio/ogg": WaKind.VOICE,
}


def choose_file_kind(mime_type: str, size_bytes: int, *, plays_as_gif: bool) -> WaKind:
    """By its type and size; sound in Ogg is a voice message."""
    kind = _SHOWN.get(bare_type(mime_type), WaKind.DOCUMENT)
    if kind is WaKind.VIDEO and plays_as_gif and bare_type(mime_type) == "video/mp4":
        kind = WaKind.GIF
    return kind if kind in _MAX_BYTES and size_bytes <= _MAX_BYTES[kind] else WaKind.DOCUMENT
