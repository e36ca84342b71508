"""What a reply shows of the message it answers, where no relation can."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.convert.mentions import name_mentions
from mautrix_whatsapp_py.convert.text import Formatted, clean, clean_name, escape
from mautrix_whatsapp_py.convert.wa_markup import render_markup
from mautrix_whatsapp_py.ids import BROADCAST_SERVER, WaJid
from mautrix_whatsapp_py.model.content import (
    MxFlag,
    MxMessageContent,
    MxMsgType,
    WaKind,
    WaPreview,
    WaQuote,
)
from mautrix_whatsapp_py.model.people import MxPerson

MAX_QUOTE: Final = 600
_OLD_FALLBACK: Final = re.compile(r"> (?:\* )?<@[^>\n]+>")
_KIND_OF: Final = {
    MxMsgType.IMAGE: WaKind.IMAGE,
    MxMsgType.VIDEO: WaKind.VIDEO,
    MxMsgType.AUDIO: WaKind.AUDIO,
    MxMsgType.FILE: WaKind.DOCUMENT,
    MxMsgType.LOCATION: WaKind.LOCATION,
    MxMsgType.STICKER: WaKind.STICKER,
    MxMsgType.POLL: WaKind.POLL,
    MxMsgType.OTHER: WaKind.OTHER,
}
_HAS_CAPTION: Final = frozenset({MxMsgType.IMAGE, MxMsgType.VIDEO, MxMsgType.AUDIO, MxMsgType.FILE})


def render_quote(quote: WaQuote, chat: WaJid, people: Mapping[WaJid, MxPerson]) -> Formatted:
    """A quote as text: its author and what was said."""
    person = people.get(quote.sender.bare)
    author = clean_name(person.name if person else "") or notices.SOMEONE
    author += _place(quote.chat, chat)
    said = _render_preview(quote.preview, people)
    lines = f"{author}: {said.body}".split("\n")
    return Formatted(
        body="\n".join(f"> {line}" for line in lines),
        html=f"<blockquote><strong>{escape(author)}</strong><br>{said.markup}</blockquote>",
    )


def kind_of(content: MxMessageContent) -> WaKind:
    """What a Matrix message is to WhatsApp."""
    if MxFlag.VOICE in content.flags and content.msgtype is MxMsgType.AUDIO:
        return WaKind.VOICE
    return _KIND_OF.get(content.msgtype, WaKind.TEXT)


def has_caption(content: MxMessageContent) -> bool:
    """Whether a file comes with words; its body is its name otherwise."""
    return content.msgtype in _HAS_CAPTION and bool(content.file_name) and content.file_name != content.body


def strip_fallback(body: str) -> str:
    """A reply without the quote that older clients put above it.

    Only what begins as those clients begin it: a quote somebody typed is theirs to keep.
    """
    if _OLD_FALLBACK.match(body) is None:
        return body
    lines = body.split("\n")
    count = next((index for index, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[count:]).removeprefix("\n")


def _place(quoted_chat: WaJid | None, chat: WaJid) -> str:
    if quoted_chat is None or quoted_chat.bare == chat.bare:
        return ""
    where = notices.ON_STATUS if quoted_chat.server == BROADCAST_SERVER else notices.ELSEWHERE
    return f" ({where})"


def _render_preview(preview: WaPreview | None, people: Mapping[WaJid, MxPerson]) -> Formatted:
    if preview is None:
        return Formatted(body=notices.QUOTE_MISSING)
    words = _shorten(clean(preview.text)) or clean_name(preview.file_name)
    said = render_markup(words, name_mentions(preview.mentions, people))
    if preview.kind is WaKind.TEXT and words:
        return said
    kind = notices.name_kind(preview.kind)
    if not words:
        return Formatted(body=kind)
    return Formatted(body=f"{kind}: {said.body}", html=f"{escape(kind)}: {said.markup}")


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE].rstrip() + "…"
