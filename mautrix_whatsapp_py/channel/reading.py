"""What a WhatsApp message says to a reader of the channel."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix_whatsapp_py.channel.texts import Quoted, Speaker, to_body
from mautrix_whatsapp_py.model.channel import ChannelFile
from mautrix_whatsapp_py.model.content import (
    WaContent,
    WaContext,
    WaKind,
    WaQuote,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The text and what came with it."""

    text: str
    plain: str
    """The text as it was written, for patterns and commands."""
    context: WaContext = WaContext()
    files: tuple[ChannelFile, ...] = ()


def read_content(content: WaContent) -> Reading | None:
    """A message as text; None for what is no message: edits, deletions, reactions, signs among devices."""
    match content:
        case WaText():
            return Reading(text=to_body(kind=WaKind.TEXT, text=content.body), plain=content.body, context=content.context)
        case WaViewOnceNotice():
            return Reading(text=f"<media:{content.kind}> (to be viewed once, on the phone only)", plain="")
        case WaUnsupported():
            return Reading(text=f"<unsupported:{content.kind}>", plain="")
        case _:
            return None


def read_quote(quote: WaQuote, sender: Speaker) -> Quoted:
    """The message that a reply answers."""
    preview = quote.preview
    body = "" if preview is None else to_body(kind=preview.kind, text=preview.text)
    return Quoted(stanza_id=quote.message_id, sender=sender, body=body)
