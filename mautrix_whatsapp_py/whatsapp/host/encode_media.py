"""Files in messages: from the model to protobuf."""

from __future__ import annotations

from typing import Any, Final

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.wa_context import WaKind
from mautrix_whatsapp_py.whatsapp.host.encode_context import encode_context
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf

_FIELDS: Final = {
    WaKind.IMAGE: "imageMessage",
    WaKind.VIDEO: "videoMessage",
    WaKind.GIF: "videoMessage",
    WaKind.AUDIO: "audioMessage",
    WaKind.VOICE: "audioMessage",
    WaKind.DOCUMENT: "documentMessage",
    WaKind.STICKER: "stickerMessage",
}


def encode_media(media: WaMedia, chat: WaJid, at_ms: int, protobuf: Protobuf) -> Any:
    """A message with a file; ValueError when the kind is none of files."""
    name = _FIELDS.get(media.kind)
    if name is None:
        raise ValueError("not a kind of file")
    if media.is_round:
        name = "ptvMessage"
    message = protobuf.e2e.Message()
    part = getattr(message, name)
    _encode_file(part, media, at_ms)
    _encode_kind(part, media)
    encode_context(part, media.context, chat, protobuf)
    if media.kind is WaKind.DOCUMENT and media.caption:
        outer = protobuf.e2e.Message()
        outer.documentWithCaptionMessage.message.CopyFrom(message)
        return outer
    return message


def _encode_file(part: Any, media: WaMedia, at_ms: int) -> None:
    file = media.file
    part.URL, part.directPath = file.url, file.direct_path
    part.mediaKey = file.media_key
    part.fileSHA256, part.fileEncSHA256 = file.sha256, file.enc_sha256
    part.fileLength = file.size_bytes
    part.mimetype = media.mime_type
    part.mediaKeyTimestamp = at_ms // 1000


def _encode_kind(part: Any, media: WaMedia) -> None:
    names = {field.name for field in part.DESCRIPTOR.fields}
    values: dict[str, Any] = {
        "caption": media.caption,
        "width": media.width,
        "height": media.height,
        "seconds": media.duration_s,
        "waveform": media.waveform,
        "JPEGThumbnail": media.thumbnail,
        "isAnimated": media.is_animated,
        "gifPlayback": media.kind is WaKind.GIF,
        "PTT": media.kind is WaKind.VOICE,
    }
    if media.kind is WaKind.DOCUMENT:
        values |= {"fileName": media.file_name, "title": media.file_name}
    for name, value in values.items():
        if value and name in names:
            setattr(part, name, value)
