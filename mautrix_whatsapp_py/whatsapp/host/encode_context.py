"""What messages carry beside their content, as protobuf: mentions, quotes, timers, link previews; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaContext, WaKind, WaLinkPreview, WaPreview, WaQuote
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf

_MIME_TYPES = {
    WaKind.IMAGE: "image/jpeg",
    WaKind.VIDEO: "video/mp4",
    WaKind.GIF: "video/mp4",
    WaKind.AUDIO: "audio/mpeg",
    WaKind.VOICE: "audio/ogg; codecs=opus",
    WaKind.DOCUMENT: "application/octet-stream",
    WaKind.STICKER: "image/webp",
}
"""Phones take a quoted file without a type for a broken one; which type it is they do not show."""


def encode_context(into: Any, context: WaContext, chat: WaJid, protobuf: Protobuf) -> None:
    """Set the context of a content; one that says nothing is left out."""
    info = protobuf.e2e.ContextInfo()
    info.mentionedJID.extend(encode_jids(context.mentions))
    if context.mentions_all:
        info.nonJIDMentions = 1
    if context.is_forwarded:
        info.isForwarded, info.forwardingScore = True, 1
    if context.disappears_after_s:
        info.expiration = context.disappears_after_s
    if context.quote is not None:
        _encode_quote(info, context.quote, chat, protobuf)
    if info.ListFields():
        into.contextInfo.CopyFrom(info)


def encode_link_preview(into: Any, preview: WaLinkPreview) -> None:
    """Set the card of a link."""
    into.matchedText, into.title, into.description = preview.url, preview.title, preview.description
    if preview.thumbnail:
        into.JPEGThumbnail = preview.thumbnail


def encode_jids(jids: Iterable[WaJid]) -> list[str]:
    """Addresses without devices, always in the same order."""
    return sorted({str(jid.bare) for jid in jids})


def encode_preview(preview: WaPreview | None, protobuf: Protobuf) -> Any:
    """A message as a quote repeats it; an empty text where nothing is known of it."""
    message = protobuf.e2e.Message()
    if preview is None:
        message.conversation = ""
        return message
    match preview.kind:
        case WaKind.TEXT | WaKind.OTHER:
            _encode_quoted_text(message, preview)
        case WaKind.IMAGE:
            _encode_file(message.imageMessage, preview)
        case WaKind.VIDEO | WaKind.GIF:
            _encode_file(message.videoMessage, preview)
            message.videoMessage.gifPlayback = preview.kind is WaKind.GIF
        case WaKind.AUDIO | WaKind.VOICE:
            _encode_file(message.audioMessage, preview)
            message.audioMessage.PTT = preview.kind is WaKind.VOICE
        case WaKind.DOCUMENT:
            _encode_file(message.documentMessage, preview)
            message.documentMessage.fileName = preview.file_name
        case WaKind.STICKER:
            _encode_file(message.stickerMessage, preview)
        case WaKind.CONTACT:
            message.contactMessage.displayName = preview.text
        case WaKind.LOCATION:
            message.locationMessage.name = preview.text
            _encode_thumbnail(message.locationMessage, preview)
        case WaKind.POLL:
            message.pollCreationMessage.name = preview.text
    return message


def _encode_quote(info: Any, quote: WaQuote, chat: WaJid, protobuf: Protobuf) -> None:
    info.stanzaID = quote.message_id
    info.participant = str(quote.sender.bare)
    if quote.chat is not None and quote.chat.bare != chat.bare:
        info.remoteJID = str(quote.chat.bare)
    info.quotedMessage.CopyFrom(encode_preview(quote.preview, protobuf))
    info.quotedType = protobuf.e2e.ContextInfo.EXPLICIT


def _encode_quoted_text(message: Any, preview: WaPreview) -> None:
    if not preview.mentions:
        message.conversation = preview.text
        return
    message.extendedTextMessage.text = preview.text
    message.extendedTextMessage.contextInfo.mentionedJID.extend(encode_jids(preview.mentions))


def _encode_file(into: Any, preview: WaPreview) -> None:
    into.mimetype = _MIME_TYPES[preview.kind]
    if preview.text and hasattr(into, "caption"):
        into.caption = preview.text
    if preview.mentions:
        into.contextInfo.mentionedJID.extend(encode_jids(preview.mentions))
    _encode_thumbnail(into, preview)


def _encode_thumbnail(into: Any, preview: WaPreview) -> None:
    name = "pngThumbnail" if preview.kind is WaKind.STICKER else "JPEGThumbnail"
    if preview.thumbnail and hasattr(into, name):
        setattr(into, name, preview.thumbnail)
