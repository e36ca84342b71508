"""What a WhatsApp message says to a reader of the channel."""

from __future__ import annotations

from dataclasses import dataclass, field

from mautrix_whatsapp_py.channel.reading_rich import read_rich
from mautrix_whatsapp_py.channel.texts import Quoted, Speaker, to_body, to_placeholder
from mautrix_whatsapp_py.model.channel import ChannelFile
from mautrix_whatsapp_py.model.content import (
    WaContent,
    WaContext,
    WaKind,
    WaMessageRef,
    WaQuote,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.rich import WaPollVote


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The text and what came with it."""

    text: str
    plain: str
    """The text as it was written, for patterns and commands."""
    context: WaContext = field(default_factory=WaContext)
    files: tuple[ChannelFile, ...] = ()


def read_content(content: WaContent) -> Reading | None:
    """A message as text; None for what is no message: edits, deletions, reactions, signs among devices."""
    match content:
        case WaText(body=body, context=context):
            return Reading(text=to_body(kind=WaKind.TEXT, text=body), plain=body, context=context)
        case WaMedia():
            return _read_media(content)
        case WaPollVote(target=target):
            return Reading(text="<vote>", plain="", context=WaContext(quote=_to_quote(target)))
        case WaViewOnceNotice(kind=kind):
            return Reading(text=f"<media:{kind}> (to be viewed once, on the phone only)", plain="")
        case WaUnsupported(kind=kind):
            return Reading(text=f"<unsupported:{kind}>", plain="")
        case _:
            rich = read_rich(content)
            return None if rich is None else Reading(text=rich[0], plain="", context=rich[1])


def _to_quote(target: WaMessageRef) -> WaQuote | None:
    return None if target.sender is None else WaQuote(message_id=target.message_id, sender=target.sender)


def _read_media(media: WaMedia) -> Reading:
    file = ChannelFile(
        kind=to_placeholder(media.kind).removeprefix("<media:").removesuffix(">"),
        mime=media.mime_type,
        size=media.file.size_bytes,
        name=media.file_name,
        media=media,
    )
    return Reading(
        text=to_body(kind=media.kind, text=media.caption),
        plain=media.caption,
        context=media.context,
        files=(file,),
    )


def read_quote(quote: WaQuote, sender: Speaker) -> Quoted:
    """The message that a reply answers."""
    preview = quote.preview
    body = "" if preview is None else to_body(kind=preview.kind, text=preview.text)
    return Quoted(stanza_id=quote.message_id, sender=sender, body=body)
