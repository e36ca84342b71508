"""Places, contacts and polls from Matrix as WhatsApp messages, or the reason why not. Pure."""

from __future__ import annotations

from typing import Final

from mautrix_whatsapp_py.convert.context import ToWhatsAppContext, WaTarget
from mautrix_whatsapp_py.convert.notices import Refusal
from mautrix_whatsapp_py.convert.polls import MAX_OPTION, MAX_OPTIONS, MAX_QUESTION
from mautrix_whatsapp_py.convert.relay import Relaying, relay_plain, relay_question, tell_relayed_vote
from mautrix_whatsapp_py.convert.results import Refused, ToWhatsApp, WaSend
from mautrix_whatsapp_py.convert.text import clean, clean_line
from mautrix_whatsapp_py.model.content import (
    MxLocation,
    MxMessageContent,
    MxMsgType,
    MxPollStart,
    MxPollVote,
    WaContext,
    WaPreview,
    WaQuote,
    WaText,
)
from mautrix_whatsapp_py.model.rich import WaContactCards, WaLocation, WaPoll, WaPollVote
from mautrix_whatsapp_py.model.wa_context import WaKind

_MAX_COMMENT: Final = 1_000
POLL_OVER: Final = "The poll is over."


def locate(
    content: MxMessageContent, at: MxLocation, beside: WaContext, relaying: Relaying | None = None
) -> ToWhatsApp:
    """A place; clients that have nothing to say about it repeat its address, which nobody needs to read."""
    said = clean(content.body).strip()[:_MAX_COMMENT]
    comment = "" if "geo:" in said else said
    if relaying is not None:
        comment = relay_plain(relaying, MxMsgType.LOCATION, comment)
    return WaSend(content=WaLocation(latitude=at.latitude, longitude=at.longitude, name=comment, context=beside))


def send_cards(context: ToWhatsAppContext, beside: WaContext) -> ToWhatsApp:
    """The contacts of a file."""
    title = f"{len(context.cards)} contacts" if len(context.cards) > 1 else ""
    return WaSend(content=WaContactCards(cards=context.cards, title=title, context=beside))


def send_poll(start: MxPollStart, context: ToWhatsAppContext) -> ToWhatsApp:
    """A new poll, within what WhatsApp allows."""
    options = tuple(option.text for option in start.options)
    if start.is_hidden:
        return Refused(refusal=Refusal.POLL_HIDDEN)
    question = start.question
    if question and context.relaying is not None:
        question = relay_question(context.relaying, question)
    if not question or len(question) > MAX_QUESTION:
        return Refused(refusal=Refusal.POLL_QUESTION)
    if not 2 <= len(options) <= MAX_OPTIONS or any(not 1 <= len(option) <= MAX_OPTION for option in options):
        return Refused(refusal=Refusal.POLL_OPTIONS)
    if len(set(options)) < len(options):
        return Refused(refusal=Refusal.POLL_REPEATS)
    selectable = start.max_selections if start.max_selections < len(options) else 0
    beside = WaContext(disappears_after_s=context.disappears_after_s)
    return WaSend(content=WaPoll(question=question, options=options, selectable=selectable, context=beside))


def send_vote(vote: MxPollVote, context: ToWhatsAppContext) -> ToWhatsApp:
    """A vote; options that the poll does not have count for nothing."""
    if not isinstance(context.target, WaTarget) or context.poll is None:
        return Refused(refusal=Refusal.POLL_UNKNOWN)
    digests = {option.id: option.digest for option in context.poll.options}
    chosen = dict.fromkeys(digests[option] for option in vote.options if option in digests)
    if vote.options and not chosen:
        return Refused(refusal=Refusal.POLL_UNKNOWN)
    most = context.poll.max_selections or len(chosen)
    if context.relaying is not None:
        texts = [context.poll.texts.get(option, "") for option in vote.options if option in digests]
        said = tell_relayed_vote(context.relaying, [clean_line(text, MAX_OPTION) for text in texts[:most] if text])
        return WaSend(content=WaText(body=said, context=answering(context.target, context)))
    return WaSend(content=WaPollVote(target=context.target.ref, options=tuple(chosen)[:most]))


def answering(target: WaTarget, context: ToWhatsAppContext) -> WaContext:
    """Beside a text about a message."""
    quote = context.quoted
    sender = (quote.sender if quote is not None else target.ref.sender) or context.chat
    preview = WaPreview(kind=WaKind.POLL if context.poll is not None else WaKind.TEXT)
    return WaContext(
        quote=WaQuote(message_id=target.ref.message_id, sender=sender, preview=preview),
        disappears_after_s=context.disappears_after_s,
    )


def end_poll(context: ToWhatsAppContext) -> ToWhatsApp:
    """WhatsApp ends no polls: people there are told the outcome."""
    target = context.target
    if not isinstance(target, WaTarget) or context.poll is None:
        return Refused(refusal=Refusal.POLL_UNKNOWN)
    if not target.is_own:
        return Refused(refusal=Refusal.POLL_NOT_OWN)
    question = context.poll.result.partition("\n")[0].removeprefix("📊 ")
    preview = WaPreview(kind=WaKind.POLL, text=question)
    sender = target.ref.sender or context.chat
    beside = WaContext(
        quote=WaQuote(message_id=target.ref.message_id, sender=sender, preview=preview),
        disappears_after_s=context.disappears_after_s,
    )
    return WaSend(content=WaText(body=f"{POLL_OVER}\n\n{context.poll.result}".strip(), context=beside))
