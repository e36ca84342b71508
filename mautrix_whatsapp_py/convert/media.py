"""Files: their kinds, names and places in messages; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mautrix_whatsapp_py.convert.text import clean
from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.model.content import MxFlag, MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, WaFile, WaMedia
from mautrix_whatsapp_py.model.wa_context import WaContext, WaKind

MEGABYTE: Final = 1 << 20
MAX_UPLOAD_BYTES: Final = 100 * MEGABYTE
"""The client library keeps an upload several times in memory, which bounds what may be sent through it."""
FILE_TYPES: Final = frozenset(
    {MxMsgType.IMAGE, MxMsgType.VIDEO, MxMsgType.AUDIO, MxMsgType.FILE, MxMsgType.STICKER}
)
_MAX_BYTES: Final = {
    WaKind.IMAGE: 16 * MEGABYTE,
    WaKind.VIDEO: 64 * MEGABYTE,
    WaKind.GIF: 16 * MEGABYTE,
    WaKind.AUDIO: 16 * MEGABYTE,
    WaKind.VOICE: 16 * MEGABYTE,
    WaKind.STICKER: MEGABYTE,
}
"""What phones show in the chat; anything larger goes as a document."""
_MIME_TYPES: Final = {
    WaKind.IMAGE: frozenset({"image/jpeg", "image/png"}),
    WaKind.VIDEO: frozenset({"video/mp4", "video/3gpp"}),
    WaKind.GIF: frozenset({"video/mp4"}),
    WaKind.AUDIO: frozenset({"audio/aac", "audio/mp4", "audio/amr", "audio/mpeg", "audio/ogg"}),
    WaKind.VOICE: frozenset({"audio/ogg"}),
    WaKind.STICKER: frozenset({"image/webp"}),
}
_MSG_TYPES: Final = {
    WaKind.IMAGE: MxMsgType.IMAGE,
    WaKind.VIDEO: MxMsgType.VIDEO,
    WaKind.GIF: MxMsgType.VIDEO,
    WaKind.AUDIO: MxMsgType.AUDIO,
    WaKind.VOICE: MxMsgType.AUDIO,
    WaKind.DOCUMENT: MxMsgType.FILE,
    WaKind.STICKER: MxMsgType.STICKER,
}
_NAMES: Final = {
    WaKind.IMAGE: "image",
    WaKind.VIDEO: "video",
    WaKind.GIF: "video",
    WaKind.AUDIO: "audio",
    WaKind.VOICE: "Voice message",
    WaKind.DOCUMENT: "document",
    WaKind.STICKER: "sticker",
}
_EXTENSIONS: Final = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "video/3gpp": ".3gp",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "application/pdf": ".pdf",
    "application/was": ".was",
}
_DEFAULT_TYPES: Final = {
    WaKind.IMAGE: "image/jpeg",
    WaKind.VIDEO: "video/mp4",
    WaKind.GIF: "video/mp4",
    WaKind.AUDIO: "audio/ogg",
    WaKind.VOICE: "audio/ogg; codecs=opus",
    WaKind.STICKER: "image/webp",
}
_PLAIN_NAMES: Final = {
    WaKind.IMAGE: "photo",
    WaKind.VIDEO: "video",
    WaKind.GIF: "GIF",
    WaKind.AUDIO: "audio file",
    WaKind.VOICE: "voice message",
    WaKind.STICKER: "sticker",
}
OPUS: Final = "audio/ogg; codecs=opus"
_NOWHERE: Final = MxUri("")
_MAX_NAME: Final = 200
_WA_LOUDEST, _MX_LOUDEST, _SAMPLES = 100, 1024, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that WhatsApp has, and as what it is to be sent."""

    kind: WaKind
    mime_type: str
    file: WaFile


def name_file(media: WaMedia) -> str:
    """What a file is called on Matrix; its name is no path."""
    given = clean(media.file_name).replace("/", "_").replace("\\", "_").strip()[:_MAX_NAME]
    return given or _NAMES[media.kind] + _EXTENSIONS.get(bare_type(media.mime_type), "")


def mime_type_of(media: WaMedia) -> str:
    """The MIME type for Matrix; parameters matter for voice messages only."""
    if media.mime_type.startswith("audio/ogg"):
        return media.mime_type
    return bare_type(media.mime_type) or _DEFAULT_TYPES.get(media.kind, "application/octet-stream")


def bare_type(mime_type: str) -> str:
    """A MIME type without parameters."""
    return mime_type.partition(";")[0].strip().lower()


def describe_file(media: WaMedia) -> MxFile:
    """What WhatsApp says of a file; where it is on Matrix is still to be filled in."""
    return MxFile(
        uri=_NOWHERE,
        mime_type=mime_type_of(media),
        size_bytes=media.file.size_bytes,
        width=media.width,
        height=media.height,
        duration_ms=media.duration_s * 1000,
        waveform=tuple(min(value, _WA_LOUDEST) * _MX_LOUDEST // _WA_LOUDEST for value in media.waveform),
        is_gif=media.kind is WaKind.GIF,
    )


def place_file(
    media: WaMedia, file: MxFile | MediaUnavailable | None, said: MxMessageContent, *, is_edit: bool
) -> MxMessageContent:
    """The caption's message with the file in it, or with the reason why it has none."""
    if not isinstance(file, MxFile):
        return _tell(media, file, said)
    msgtype = _MSG_TYPES[media.kind]
    if msgtype is MxMsgType.STICKER and is_edit:
        # An edit cannot be a sticker.
        msgtype = MxMsgType.IMAGE
    name, flags = name_file(media), said.flags
    if media.kind is WaKind.VOICE:
        flags |= {MxFlag.VOICE}
    if media.is_view_once:
        flags |= {MxFlag.VIEW_ONCE}
    return replace(said, msgtype=msgtype, body=said.body or name, file_name=name, file=file, flags=flags)


def _tell(media: WaMedia, failure: MediaUnavailable | None, said: MxMessageContent) -> MxMessageContent:
    what = _PLAIN_NAMES.get(media.kind, "file")
    why = failure.sentence if failure is not None else "files are not bridged here."
    text = f"A {what} could not be shown here: {why}"
    if failure is not None and failure.is_coming:
        text = f"📎 A {what} is being fetched."
    body = f"{text}\n\n{said.body}" if said.body else text
    html = None if said.html is None else f"<p>{text}</p>{said.html}"
    return replace(said, msgtype=MxMsgType.NOTICE, body=body, html=html)


def choose_kind(content: MxMessageContent, size_bytes: int) -> WaKind:
    """As what a file is sent; what phones do not show in the chat goes as a document."""
    file = content.file
    kind = _wanted_kind(content)
    mime_type = bare_type(file.mime_type) if file else ""
    if kind is WaKind.DOCUMENT or mime_type not in _MIME_TYPES[kind] or size_bytes > _MAX_BYTES[kind]:
        return WaKind.DOCUMENT
    return kind


def _wanted_kind(content: MxMessageContent) -> WaKind:
    mime_type = bare_type(content.file.mime_type) if content.file else ""
    match content.msgtype:
        case MxMsgType.IMAGE:
            return WaKind.IMAGE
        case MxMsgType.STICKER:
            return WaKind.STICKER if mime_type == "image/webp" else WaKind.IMAGE
        case MxMsgType.VIDEO:
            return WaKind.GIF if content.file and content.file.is_gif else WaKind.VIDEO
        case MxMsgType.AUDIO:
            is_voice = MxFlag.VOICE in content.flags and mime_type == "audio/ogg"
            return WaKind.VOICE if is_voice else WaKind.AUDIO
        case _:
            return WaKind.DOCUMENT


def write_media(content: MxMessageContent, uploaded: Uploaded, caption: str, context: WaContext) -> WaMedia:
    """The message that shows an uploaded file."""
    file = content.file
    assert file is not None
    return WaMedia(
        kind=uploaded.kind,
        file=uploaded.file,
        mime_type=OPUS if uploaded.kind is WaKind.VOICE else uploaded.mime_type,
        caption=caption,
        file_name=clean(content.file_name or content.body)[:_MAX_NAME],
        width=file.width,
        height=file.height,
        duration_s=round(file.duration_ms / 1000),
        waveform=scale_waveform(file.waveform) if uploaded.kind is WaKind.VOICE else b"",
        context=context,
    )


def scale_waveform(waveform: tuple[int, ...]) -> bytes:
    """Loudness as phones draw it: 64 samples from 0 to 100."""
    if not waveform:
        return b""
    picked = (waveform[index * len(waveform) // _SAMPLES] for index in range(_SAMPLES))
    return bytes(min(max(value, 0), _MX_LOUDEST) * _WA_LOUDEST // _MX_LOUDEST for value in picked)
