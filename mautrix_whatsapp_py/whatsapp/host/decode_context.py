"""What messages carry beside their content: mentions, quotes, timers, link previews; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaContext, WaKind, WaLinkPreview, WaPreview, WaQuote
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_address, get_text

MAX_TEXT = 131_072
"""Twice what WhatsApp allows; with everything beside it a message still fits the socket."""
MAX_ID = 128
_MAX_QUOTED = 4_096
_MAX_LINE = 2_048
_MAX_MENTIONS = 1_024
_MAX_THUMBNAIL_BYTES = 65_536
_MAX_WRAPS = 8
_WRAPPERS = (
    "deviceSentMessage",
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "editedMessage",
    "groupMentionedMessage",
    "lottieStickerMessage",
    "botInvokeMessage",
    "botForwardedMessage",
    "associatedChildMessage",
    "audioStickerMessage",
    "botTaskMessage",
    "eventCoverImage",
    "groupStatusMessage",
    "groupStatusMessageV2",
    "newsletterAdminProfileMessage",
    "newsletterAdminProfileStatusMessage",
    "newsletterScheduledMessage",
    "pollCreationMessageV4",
    "pollCreationOptionImageMessage",
    "questionMessage",
    "questionReplyMessage",
    "spoilerMessage",
    "statusAddYours",
    "acp2SettingMessage",
    "botPlatformRegistrationSuccessMessage",
    "groupStatusMentionMessage",
    "limitSharingMessage",
    "statusMentionMessage",
)
"""Messages that say how the message inside is meant."""
_BESIDE = frozenset(
    {
        "messageContextInfo",
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "statusLinkPreviewMetadata",
    }
)
"""Fields that accompany content."""
_PERSONS = frozenset({USER_SERVER, LID_SERVER})
_KINDS = {
    "conversation": WaKind.TEXT,
    "extendedTextMessage": WaKind.TEXT,
    "imageMessage": WaKind.IMAGE,
    "videoMessage": WaKind.VIDEO,
    "ptvMessage": WaKind.VIDEO,
    "audioMessage": WaKind.AUDIO,
    "documentMessage": WaKind.DOCUMENT,
    "stickerMessage": WaKind.STICKER,
    "contactMessage": WaKind.CONTACT,
    "contactsArrayMessage": WaKind.CONTACT,
    "locationMessage": WaKind.LOCATION,
    "liveLocationMessage": WaKind.LOCATION,
}
_TEXT_FIELDS = (
    "text",
    "caption",
    "displayName",
    "name",
    "address",
    "hydratedContentText",
    "contentText",
    "description",
    "groupName",
)
"""Where kinds of messages have their words; none has two of them that mean different things."""


def unwrap(message: Any) -> tuple[Any, frozenset[str]]:
    """The message inside of its wrappers, and the names of those."""
    names: list[str] = []
    while len(names) < _MAX_WRAPS:
        name = next((item for item in _WRAPPERS if message.HasField(item)), None)
        if name is None:
            break
        names.append(name)
        message = getattr(message, name).message
    return message, frozenset(names)


def get_part(message: Any) -> tuple[str, Any]:
    """The content of an unwrapped message and its name; the name is empty when there is nothing for users."""
    for field, value in message.ListFields():
        if field.name not in _BESIDE:
            return field.name, value
    return "", None


def get_kind(name: str, part: Any) -> WaKind:
    """What a content is."""
    if name == "videoMessage" and part.gifPlayback:
        return WaKind.GIF
    if name == "audioMessage" and part.PTT:
        return WaKind.VOICE
    if name.startswith("pollCreationMessage"):
        return WaKind.POLL
    return _KINDS.get(name, WaKind.OTHER)


def decode_context(part: Any, chat: WaJid) -> WaContext:
    """What a content carries with it."""
    info = getattr(part, "contextInfo", None)
    if info is None:
        return WaContext()
    return WaContext(
        mentions=_decode_mentions(info.mentionedJID),
        mentions_all=info.nonJIDMentions > 0,
        is_forwarded=info.isForwarded or info.forwardingScore > 0,
        quote=_decode_quote(info, chat.bare),
        disappears_after_s=info.expiration or None,
    )


def decode_link_preview(extended: Any) -> WaLinkPreview | None:
    """The card of a link; a link that was only found in the text has none."""
    preview = WaLinkPreview(
        url=get_text(extended.matchedText, _MAX_LINE),
        title=get_text(extended.title, _MAX_LINE),
        description=get_text(extended.description, _MAX_QUOTED),
        thumbnail=_get_thumbnail(extended),
    )
    has_card = bool(preview.title or preview.description or preview.thumbnail)
    return preview if preview.url and has_card else None


def decode_preview(message: Any) -> WaPreview | None:
    """What a quote shows; None when it quotes nothing, or an empty text."""
    inner, _ = unwrap(message)
    name, part = get_part(inner)
    if not name:
        return None
    kind = get_kind(name, part)
    text = _get_words(part)
    if kind is WaKind.TEXT and not text:
        return None
    return WaPreview(
        kind=kind,
        text=text,
        file_name=_get_file_name(part) if kind is WaKind.DOCUMENT else "",
        thumbnail=_get_thumbnail(part),
        mentions=_decode_mentions(part.contextInfo.mentionedJID) if hasattr(part, "contextInfo") else frozenset(),
    )


def _decode_quote(info: Any, chat: WaJid) -> WaQuote | None:
    message_id = get_text(info.stanzaID, MAX_ID)
    if not message_id:
        return None
    elsewhere = get_address(info.remoteJID)
    # To the writer of a direct message the chat has another address than to us.
    is_elsewhere = elsewhere is not None and elsewhere.server not in _PERSONS and elsewhere != chat
    return WaQuote(
        message_id=WaMessageId(message_id),
        # An author who is not named is the chat itself: the other person, a channel, or nobody in particular.
        sender=get_address(info.participant) or chat,
        chat=elsewhere if is_elsewhere else None,
        preview=decode_preview(info.quotedMessage) if info.HasField("quotedMessage") else None,
    )


def _decode_mentions(texts: Iterable[str | bytes]) -> frozenset[WaJid]:
    found: set[WaJid] = set()
    for text in texts:
        jid = get_address(text)
        if jid is not None and len(found) < _MAX_MENTIONS:
            found.add(jid)
    return frozenset(found)


def _get_words(part: Any) -> str:
    if isinstance(part, str | bytes):
        return get_text(part, _MAX_QUOTED)
    for name in _TEXT_FIELDS:
        value = getattr(part, name, "")
        if isinstance(value, str | bytes) and value:
            return get_text(value, _MAX_QUOTED)
    return ""


def _get_file_name(document: Any) -> str:
    return get_text(document.fileName, _MAX_LINE) or get_text(document.title, _MAX_LINE)


def _get_thumbnail(part: Any) -> bytes | None:
    for name in ("JPEGThumbnail", "pngThumbnail"):
        value = getattr(part, name, b"")
        if isinstance(value, bytes) and 0 < len(value) <= _MAX_THUMBNAIL_BYTES:
            return value
    return None
