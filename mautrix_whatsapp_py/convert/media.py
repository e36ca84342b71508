"""Files: their kinds, names and places in messages; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mautrix_whatsapp_py.convert import file_words
from mautrix_whatsapp_py.convert.text import clean
from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.model.content import MxFlag, MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, WaFile, WaMedia
from mautrix_whatsapp_py.model.media_ready import ReadyFile
from mautrix_whatsapp_py.model.wa_context import WaContext, WaKind

MEGABYTE: Final = 1 << 20
MAX_UPLOAD_BYTES: Final = 100 * MEGABYTE
"""The client library keeps an upload several times in memory, which bounds what may be sent through it."""
FILE_TYPES: Final = frozenset(
    {MxMsgType.IMAGE, MxMsgType.VIDEO, MxMsgType.AUDIO, MxMsgType.FILE, MxMsgType.STICKER}
)
MAX_BYTES: Final = {
    WaKind.IMAGE: 16 * MEGABYTE,
    WaKind.VIDEO: 64 * MEGABYTE,
    WaKind.GIF: 16 * MEGABYTE,
    WaKind.AUDIO: 16 * MEGABYTE,
    WaKind.VOICE: 16 * MEGABYTE,
    WaKind.STICKER: MEGABYTE,
}
"""What phones show in the chat; anything larger goes as a document."""
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
    "image/gif": ".gif",
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
_NOWHERE: Final = MxUri("")
_MAX_NAME: Final = 200
_WA_LOUDEST, _MX_LOUDEST = 100, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that WhatsApp has, and as what it is to be sent."""

    ready: ReadyFile
    file: WaFile
    note: str = ""
    """What its sender is to be told about it."""


def name_file(media: WaMedia, mime_type: str | None = None) -> str:
    """What a file is called on Matrix; its name is no path."""
    given = clean(media.file_name).replace("/", "_").replace("\\", "_").strip()[:_MAX_NAME]
    return given or _NAMES[media.kind] + _EXTENSIONS.get(bare_type(mime_type or media.mime_type), "")


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
        waveform=_widen(media.waveform) if any(media.waveform) else (),
        is_gif=media.kind is WaKind.GIF,
    )


def place_file(
    media: WaMedia, file: MxFile | MediaUnavailable | None, said: MxMessageContent, *, is_edit: bool
) -> MxMessageContent:
    """The caption's message with the file in it, or with the reason why it has none."""
    if not isinstance(file, MxFile):
        return _tell(media, file, said)
    msgtype = _msgtype(media, file)
    if msgtype is MxMsgType.STICKER and is_edit:
        # An edit cannot be a sticker.
        msgtype = MxMsgType.IMAGE
    name, flags = name_file(media, file.mime_type), said.flags
    if media.kind is WaKind.VOICE:
        flags |= {MxFlag.VOICE}
    if media.is_view_once:
        flags |= {MxFlag.VIEW_ONCE}
    return replace(said, msgtype=msgtype, body=said.body or name, file_name=name, file=file, flags=flags)


def complete_file(described: MxFile, ready: ReadyFile) -> MxFile:
    """What WhatsApp says of a file, corrected by what was found in it."""
    waveform = described.waveform or _widen(ready.waveform)
    return replace(
        described,
        mime_type=ready.mime_type if ready.path else described.mime_type,
        width=ready.width or described.width,
        height=ready.height or described.height,
        duration_ms=ready.duration_ms or described.duration_ms,
        waveform=waveform,
        blurhash=ready.blurhash,
        is_animated=ready.is_animated,
        is_gif=described.is_gif and not ready.path,
    )


def _msgtype(media: WaMedia, file: MxFile) -> MxMsgType:
    if file.is_bare:
        return MxMsgType.FILE
    if media.kind is WaKind.GIF and file.mime_type == "image/gif":
        return MxMsgType.IMAGE
    return _MSG_TYPES[media.kind]


def _widen(waveform: bytes) -> tuple[int, ...]:
    return tuple(min(value, _WA_LOUDEST) * _MX_LOUDEST // _WA_LOUDEST for value in waveform)


def _tell(media: WaMedia, failure: MediaUnavailable | None, said: MxMessageContent) -> MxMessageContent:
    what = _PLAIN_NAMES.get(media.kind, "file")
    why = failure.sentence if failure is not None else "files are not bridged here."
    text = f"A {what} could not be shown here: {why}"
    if failure is not None and failure.is_passing:
        text += f" {file_words.GOES_ON}"
    if failure is not None and failure.may_be_retried:
        text += f" {file_words.HOW_TO_RETRY}"
    if failure is not None and failure.is_coming:
        text = f"📎 A {what} is being fetched."
    body = f"{text}\n\n{said.body}" if said.body else text
    html = None if said.html is None else f"<p>{text}</p>{said.html}"
    return replace(said, msgtype=MxMsgType.NOTICE, body=body, html=html)


def wanted_kind(content: MxMessageContent) -> WaKind:
    """As what a file is to be shown on phones, if it can be."""
    match content.msgtype:
        case MxMsgType.IMAGE:
            return WaKind.IMAGE
        case MxMsgType.STICKER:
            return WaKind.STICKER
        case MxMsgType.VIDEO:
            return WaKind.GIF if content.file and content.file.is_gif else WaKind.VIDEO
        case MxMsgType.AUDIO:
            return WaKind.VOICE if MxFlag.VOICE in content.flags else WaKind.AUDIO
        case _:
            return WaKind.DOCUMENT


def as_document(content: MxMessageContent) -> ReadyFile:
    """A file as it is."""
    mime_type = bare_type(content.file.mime_type) if content.file else ""
    return ReadyFile(kind=WaKind.DOCUMENT, mime_type=mime_type or "application/octet-stream")


def write_media(content: MxMessageContent, uploaded: Uploaded, caption: str, context: WaContext) -> WaMedia:
    """The message that shows an uploaded file."""
    ready = uploaded.ready
    return WaMedia(
        kind=ready.kind,
        file=uploaded.file,
        mime_type=ready.mime_type,
        caption=caption,
        file_name=clean(content.file_name or content.body)[:_MAX_NAME],
        width=ready.width,
        height=ready.height,
        duration_s=max(round(ready.duration_ms / 1000), 1 if ready.duration_ms else 0),
        waveform=ready.waveform if ready.kind is WaKind.VOICE else b"",
        thumbnail=ready.preview or None,
        is_animated=ready.is_animated,
        context=context,
    )
