"""Matrix events as WhatsApp messages, or the reason why not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, assert_never

import msgspec

from mautrix_whatsapp_py.convert.context import Quoted, ToWhatsAppContext, WaReactionTarget, WaTarget
from mautrix_whatsapp_py.convert.emoji import is_emoji, to_wa_emoji
from mautrix_whatsapp_py.convert.media import FILE_TYPES, write_media
from mautrix_whatsapp_py.convert.mentions import Addressed, WaMarkup, allowed, replace_user_ids
from mautrix_whatsapp_py.convert.mx_html import MAX_HTML, read_html
from mautrix_whatsapp_py.convert.needs import reply_target
from mautrix_whatsapp_py.convert.notices import Refusal
from mautrix_whatsapp_py.convert.quotes import has_caption, kind_of, strip_fallback
from mautrix_whatsapp_py.convert.relay import (
    Relaying,
    note_sender,
    relay_question,
    relay_text,
    tell_relayed_reaction,
)
from mautrix_whatsapp_py.convert.results import Refused, Skipped, SkipReason, ToWhatsApp, WaSend
from mautrix_whatsapp_py.convert.rich_to_whatsapp import (
    answering,
    end_poll,
    locate,
    send_cards,
    send_poll,
    send_vote,
)
from mautrix_whatsapp_py.convert.text import clean
from mautrix_whatsapp_py.convert.wa_writer import write_markup
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxEdit,
    MxMessageContent,
    MxMsgType,
    MxPollEnd,
    MxPollStart,
    MxPollVote,
    MxReactionContent,
    MxRedactionContent,
    WaContext,
    WaEdit,
    WaKind,
    WaLinkPreview,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaText,
)

MAX_TEXT: Final = 65_536
EDIT_WINDOW: Final = timedelta(minutes=15)
EDIT_GRACE: Final = timedelta(minutes=20)
"""WhatsApp takes an edit that was made in time and arrives this late."""
DELETE_WINDOW: Final = timedelta(days=2)
EMOTE: Final = "*\u00a0"
"""How an emote begins; after a plain blank WhatsApp would show a list item instead of the star."""
_MAX_QUOTED: Final = 4_096
_NAMED: Final = frozenset({WaKind.LOCATION, WaKind.POLL})
_WITHOUT_CAPTION: Final = frozenset({WaKind.AUDIO, WaKind.VOICE, WaKind.STICKER, WaKind.CONTACT})
_TEXT_TYPES: Final = frozenset({MxMsgType.TEXT, MxMsgType.EMOTE, MxMsgType.NOTICE})


def to_whatsapp(content: MxContent, context: ToWhatsAppContext) -> ToWhatsApp:
    """What an event comes to on WhatsApp."""
    match content:
        case MxMessageContent():
            return _send_message(content, context)
        case MxReactionContent():
            return _react(content, context)
        case MxRedactionContent():
            return _revoke(content, context)
        case MxPollStart():
            return send_poll(content, context)
        case MxPollVote():
            return send_vote(content, context)
        case MxPollEnd():
            return end_poll(context)
        case _:
            assert_never(content)


def encode_text(content: MxMessageContent, addressed: Addressed) -> WaMarkup:
    """What a message, or the caption of a file, says in WhatsApp's markup."""
    known = allowed(addressed, content.mentions)
    if content.html is not None and len(content.html) <= MAX_HTML:
        markup = write_markup(read_html(clean(content.html)), known)
        if markup.text and len(markup.text) <= MAX_TEXT:
            return markup
    body = content.body if reply_target(content) is None else strip_fallback(content.body)
    return replace_user_ids(clean(body), known)


def encode_quote(quoted: Quoted, addressed: Addressed) -> WaQuote:
    """The quote a phone shows above a reply."""
    return WaQuote(
        message_id=quoted.ref.message_id,
        sender=quoted.sender,
        preview=None if quoted.content is None else _encode_preview(quoted.content, quoted, addressed),
    )


def _send_message(content: MxMessageContent, context: ToWhatsAppContext) -> ToWhatsApp:
    if content.msgtype is MxMsgType.NOTICE and not context.options.with_notices:
        return Skipped(reason=SkipReason.BY_OPTION)
    is_edit = isinstance(content.relation, MxEdit)
    if content.msgtype in FILE_TYPES and not is_edit:
        return _send_file(content, context)
    if content.msgtype is MxMsgType.LOCATION and content.location is not None and not is_edit:
        return locate(
            content, content.location, _context_of(content, WaMarkup(text=""), context), context.relaying
        )
    if content.msgtype not in _TEXT_TYPES and not (is_edit and has_caption(content)):
        return Refused(refusal=Refusal.KIND)
    edited: WaTarget | None = None
    if isinstance(content.relation, MxEdit):
        target = _require_editable(context)
        if isinstance(target, Refused):
            return target
        edited = target
    text = _encode_message(content, context)
    if isinstance(text, Refused):
        return text
    return WaSend(content=text if edited is None else WaEdit(target=edited.ref, content=text))


def _send_file(content: MxMessageContent, context: ToWhatsAppContext) -> ToWhatsApp:
    if content.file is None or (context.uploaded is None and not context.cards):
        return Refused(refusal=Refusal.KIND)
    markup = encode_text(content, context.addressed) if has_caption(content) else WaMarkup(text="")
    kind = WaKind.CONTACT if context.uploaded is None else context.uploaded.ready.kind
    if context.relaying is not None and kind not in _WITHOUT_CAPTION:
        markup = _relay(content, markup, context)
    if len(markup.text) > MAX_TEXT:
        return Refused(refusal=Refusal.TOO_LONG)
    beside = _context_of(content, markup, context)
    if context.relaying is not None and kind in _WITHOUT_CAPTION:
        beside = msgspec.structs.replace(beside, quote=note_sender(context.relaying, kind))
    if context.uploaded is None:
        return send_cards(context, beside)
    return WaSend(content=write_media(content, context.uploaded, markup.text, beside))


def _relay(content: MxMessageContent, said: WaMarkup, context: ToWhatsAppContext) -> WaMarkup:
    return _name_writer(content, said, context.relaying)


def _name_writer(content: MxMessageContent, said: WaMarkup, relaying: Relaying | None) -> WaMarkup:
    """What is said, with who says it where the account is not theirs."""
    if relaying is None:
        return said
    is_file = content.msgtype in FILE_TYPES
    name = (content.file_name or content.body) if is_file else ""
    return relay_text(relaying, content.msgtype, said, is_caption=is_file, file_name=name)


def _context_of(content: MxMessageContent, markup: WaMarkup, context: ToWhatsAppContext) -> WaContext:
    answers = reply_target(content) is not None or isinstance(content.relation, MxEdit)
    return WaContext(
        mentions=markup.mentions,
        mentions_all=content.mentions is not None and content.mentions.room and context.relaying is None,
        quote=encode_quote(context.quoted, context.addressed) if answers and context.quoted else None,
        disappears_after_s=context.disappears_after_s,
    )


def _encode_message(content: MxMessageContent, context: ToWhatsAppContext) -> WaText | Refused:
    markup = encode_text(content, context.addressed)
    if not markup.text.strip():
        return Refused(refusal=Refusal.EMPTY)
    if context.relaying is not None:
        text = _relay(content, markup, context).text
    else:
        text = EMOTE + markup.text if content.msgtype is MxMsgType.EMOTE else markup.text
    if len(text) > MAX_TEXT:
        return Refused(refusal=Refusal.TOO_LONG)
    return WaText(
        body=text,
        context=_context_of(content, markup, context),
        link_preview=_encode_link_preview(text, context),
    )


def _require_editable(context: ToWhatsAppContext) -> WaTarget | Refused:
    target = context.target
    if not isinstance(target, WaTarget):
        return Refused(refusal=Refusal.EDIT_UNKNOWN)
    if not target.is_own:
        return Refused(refusal=Refusal.EDIT_NOT_OWN)
    is_late = _written_at(context) - target.sent_at > EDIT_WINDOW or context.now - target.sent_at > EDIT_GRACE
    return Refused(refusal=Refusal.EDIT_TOO_OLD) if is_late else target


def _react(content: MxReactionContent, context: ToWhatsAppContext) -> ToWhatsApp:
    if content.key.startswith("mxc://"):
        return Refused(refusal=Refusal.REACTION_IMAGE)
    if not is_emoji(content.key):
        return Refused(refusal=Refusal.REACTION_TEXT)
    if not isinstance(context.target, WaTarget):
        return Refused(refusal=Refusal.REACTION_UNKNOWN)
    if context.relaying is not None:
        said = tell_relayed_reaction(context.relaying, content.key)
        return WaSend(content=WaText(body=said, context=answering(context.target, context)))
    return WaSend(content=WaReaction(target=context.target.ref, emoji=to_wa_emoji(content.key)))


def _revoke(content: MxRedactionContent, context: ToWhatsAppContext) -> ToWhatsApp:
    if content.target is None and content.top_level:
        return Refused(refusal=Refusal.REDACTION_UNCLEAR)
    match context.target:
        case None:
            return Skipped(reason=SkipReason.TARGET_UNKNOWN)
        case WaReactionTarget(ref=ref, is_own=is_own):
            if not is_own:
                return Refused(refusal=Refusal.REACTION_NOT_OWN)
            return WaSend(content=WaReaction(target=ref, emoji=""))
        case WaTarget(ref=ref, sent_at=sent_at, is_own=is_own):
            if not is_own and not context.is_group_admin:
                return Refused(refusal=Refusal.REDACTION_NOT_ALLOWED)
            if _written_at(context) - sent_at > DELETE_WINDOW:
                return Refused(refusal=Refusal.REDACTION_TOO_OLD)
            return WaSend(content=WaRevoke(target=ref))
        case _:
            assert_never(context.target)


def _encode_preview(content: MxMessageContent, quoted: Quoted, addressed: Addressed) -> WaPreview:
    kind, relaying = kind_of(content), quoted.relaying
    said = WaMarkup(text="")
    if kind is WaKind.TEXT or has_caption(content):
        said = _name_writer(content, encode_text(content, addressed), relaying)
    elif kind in _NAMED:
        text = clean(content.body).partition("\n")[0].removeprefix("📍 ").removeprefix("📊 ")
        said = WaMarkup(text=text if relaying is None else relay_question(relaying, text))
    return WaPreview(
        kind=kind,
        text=said.text[:_MAX_QUOTED],
        file_name=clean(content.file_name or content.body) if kind is WaKind.DOCUMENT else "",
        thumbnail=quoted.thumbnail,
        mentions=said.mentions,
    )


def _encode_link_preview(text: str, context: ToWhatsAppContext) -> WaLinkPreview | None:
    """The card that was found; of a link that is in the text only."""
    found = context.link_preview
    if found is None or not context.options.with_link_previews:
        return None
    url = clean(found.url)
    if not url or url not in text:
        return None
    title, description = clean(found.title), clean(found.description)
    return WaLinkPreview(url=url, title=title, description=description, thumbnail=found.thumbnail)


def _written_at(context: ToWhatsAppContext) -> datetime:
    """When the event was written; a client's clock may be ahead, not behind time itself."""
    return min(context.written_at, context.now)
