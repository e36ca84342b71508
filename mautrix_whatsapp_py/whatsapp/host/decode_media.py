"""Files in messages: from protobuf to the model."""

from __future__ import annotations

from typing import Any, Final

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.media import WaFile, WaMedia
from mautrix_whatsapp_py.model.wa_context import WaKind
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_TEXT, decode_context, get_kind
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_text

MEDIA: Final = frozenset(
    {"imageMessage", "videoMessage", "ptvMessage", "audioMessage", "documentMessage", "stickerMessage"}
)
_MAX_LINE: Final = 2_048
_MAX_WAVEFORM: Final = 1_024
_MAX_THUMBNAIL_BYTES: Final = 65_536
_KEY_BYTES: Final = 32
_MAX_NUMBER: Final = 2**53


def decode_media(name: str, part: Any, chat: WaJid, *, is_view_once: bool = False) -> WaMedia | None:
    """A file; None when the message does not say where it is or how to open it."""
    path, key = get_text(part.directPath, _MAX_LINE), part.mediaKey
    if not path.startswith("/") or len(key) != _KEY_BYTES:
        return None
    file = WaFile(
        direct_path=path,
        url=get_text(part.URL, _MAX_LINE),
        media_key=key,
        sha256=part.fileSHA256,
        enc_sha256=part.fileEncSHA256,
        size_bytes=min(part.fileLength, _MAX_NUMBER),
    )
    kind = WaKind.VIDEO if name == "ptvMessage" else get_kind(name, part)
    return WaMedia(
        kind=kind,
        file=file,
        mime_type=get_text(part.mimetype, _MAX_LINE),
        caption=get_text(getattr(part, "caption", ""), MAX_TEXT),
        file_name=_get_file_name(part) if kind is WaKind.DOCUMENT else "",
        width=getattr(part, "width", 0),
        height=getattr(part, "height", 0),
        duration_s=getattr(part, "seconds", 0),
        waveform=getattr(part, "waveform", b"")[:_MAX_WAVEFORM],
        thumbnail=_get_thumbnail(part),
        is_round=name == "ptvMessage",
        is_animated=bool(getattr(part, "isAnimated", False)),
        is_view_once=is_view_once,
        context=decode_context(part, chat),
    )


def _get_file_name(part: Any) -> str:
    return get_text(part.fileName, _MAX_LINE) or get_text(part.title, _MAX_LINE)


def _get_thumbnail(part: Any) -> bytes | None:
    value = getattr(part, "JPEGThumbnail", b"")
    return value if isinstance(value, bytes) and 0 < len(value) <= _MAX_THUMBNAIL_BYTES else None
