"""What any WhatsApp message may carry beside its content."""

from __future__ import annotations

from enum import StrEnum

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.struct import WaStruct


class WaKind(StrEnum):
    """What a WhatsApp message is, as far as a quote or a notice has to name it."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    GIF = "gif"
    AUDIO = "audio"
    VOICE = "voice"
    DOCUMENT = "document"
    STICKER = "sticker"
    CONTACT = "contact"
    LOCATION = "location"
    POLL = "poll"
    OTHER = "other"


class WaMessageRef(WaStruct, frozen=True, kw_only=True):
    """Names a message; the sender is None where WhatsApp does not say it."""

    chat: WaJid
    message_id: WaMessageId
    sender: WaJid | None = None


class WaPreview(WaStruct, frozen=True, kw_only=True):
    """What a quote shows of the quoted message: its text or caption, and what else it is."""

    kind: WaKind = WaKind.TEXT
    text: str = ""
    file_name: str = ""
    thumbnail: bytes | None = None
    mentions: frozenset[WaJid] = frozenset()


class WaQuote(WaStruct, frozen=True, kw_only=True):
    """The message a reply answers; the chat is named only when it is another one."""

    message_id: WaMessageId
    sender: WaJid
    chat: WaJid | None = None
    preview: WaPreview | None = None


class WaContext(WaStruct, frozen=True, kw_only=True):
    """What any message may carry beside its content."""

    mentions: frozenset[WaJid] = frozenset()
    mentions_all: bool = False
    is_forwarded: bool = False
    quote: WaQuote | None = None
    disappears_after_s: int | None = None
    album: WaMessageId | None = None
    """The head of the album a file belongs to."""
