"""What must be fetched before a message can be converted; the answers go into its context."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, assert_never

from mautrix_whatsapp_py.convert.mentions import find_user_ids
from mautrix_whatsapp_py.convert.mx_html import MAX_HTML, pills, read_html
from mautrix_whatsapp_py.ids import MxEventId, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxEdit,
    MxMessageContent,
    MxReactionContent,
    MxRedactionContent,
    MxReply,
    MxThread,
    WaContent,
    WaEdit,
    WaEphemeralTimer,
    WaMessageRef,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaSilent,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollStart, MxPollVote
from mautrix_whatsapp_py.model.rich import WaAlbum, WaCard, WaComment, WaOccasionAnswer, WaPin, WaPollVote
from mautrix_whatsapp_py.model.wa import WaUndecryptable

_LINK: Final = re.compile(r"https?://[^\s<>]+")
_AFTER_LINK: Final = ".,;:!?)]}'\"*_~"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaNeeds:
    """Needs of a message from WhatsApp.

    Who the people are on Matrix, the event of the message replied to, the events of the message
    that is edited, reacted to or deleted, and the picture of a link preview, to be uploaded.
    """

    people: frozenset[WaJid] = frozenset()
    reply_to: WaMessageRef | None = None
    target: WaMessageRef | None = None
    preview_thumbnail: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxNeeds:
    """Needs of an event from Matrix.

    How the chat addresses these users, the message replied to and what it says, the message or
    reaction that is edited, reacted to or redacted, and the preview of a link.
    """

    users: frozenset[MxUserId] = frozenset()
    reply_to: MxEventId | None = None
    target: MxEventId | None = None
    preview_url: str | None = None


def needs_of_wa(content: WaContent | WaUndecryptable, chat: WaJid) -> WaNeeds:
    """What a message of this chat needs."""
    match content:
        case WaText():
            return _needs_of_text(content, chat)
        case WaMedia(caption=caption, context=context):
            return _needs_of_text(WaText(body=caption, context=context), chat)
        case WaEdit(target=target, content=text):
            return replace(_needs_of_text(text, chat), target=target, reply_to=None)
        case WaReaction(target=target):
            return WaNeeds(target=target)
        case WaRevoke(target=target):
            return WaNeeds(target=target, people=_people(target.sender))
        case (
            WaUndecryptable() | WaViewOnceNotice() | WaUnsupported() | WaEphemeralTimer() | WaSilent() | WaAlbum()
        ):
            return WaNeeds()
        case WaPollVote(target=target) | WaPin(target=target):
            return WaNeeds(target=target)
        case WaOccasionAnswer(target=target):
            return WaNeeds(reply_to=target)
        case WaComment(target=target, context=context):
            return replace(_needs_of_text(WaText(body="", context=context), chat), reply_to=target)
        case _:
            return _needs_of_text(WaText(body="", context=content.context), chat)


def file_of(content: WaContent | WaUndecryptable) -> WaMedia | None:
    """The file that a message comes with."""
    match content:
        case WaMedia():
            return content
        case WaCard(media=media):
            return media
        case _:
            return None


def needs_of_mx(content: MxContent) -> MxNeeds:
    """What an event needs."""
    match content:
        case MxMessageContent(relation=relation):
            return MxNeeds(
                users=users_in(content),
                reply_to=reply_target(content),
                target=relation.event_id if isinstance(relation, MxEdit) else None,
                preview_url=_first_link(content.body),
            )
        case MxReactionContent(event_id=event_id):
            return MxNeeds(target=event_id)
        case MxRedactionContent(target=target):
            return MxNeeds(target=target)
        case MxPollStart():
            return MxNeeds()
        case MxPollVote(poll=poll) | MxPollEnd(poll=poll):
            return MxNeeds(target=poll)
        case _:
            assert_never(content)


def reply_target(content: MxMessageContent) -> MxEventId | None:
    """The event a message answers on purpose."""
    match content.relation:
        case MxReply(event_id=event_id):
            return event_id
        case MxThread(reply_to=event_id, is_falling_back=False):
            return event_id
        case _:
            return None


def users_in(content: MxMessageContent) -> frozenset[MxUserId]:
    """The users a message mentions in its text; of a quoted message too."""
    if content.html is not None and len(content.html) <= MAX_HTML:
        users = pills(read_html(content.html))
    else:
        users = find_user_ids(content.body)
    return users if content.mentions is None else users & content.mentions.users


def _needs_of_text(content: WaText, chat: WaJid) -> WaNeeds:
    context = content.context
    quote = context.quote
    preview = content.link_preview
    quoted = _people(quote.sender) | _mentioned_in(quote) if quote else frozenset()
    return WaNeeds(
        people=frozenset(jid.bare for jid in context.mentions) | quoted,
        reply_to=_reply_ref(quote, chat),
        preview_thumbnail=preview.thumbnail if preview else None,
    )


def _reply_ref(quote: WaQuote | None, chat: WaJid) -> WaMessageRef | None:
    """The quoted message; one of another chat is not in the room and need not be looked for."""
    if quote is None or (quote.chat is not None and quote.chat.bare != chat.bare):
        return None
    return WaMessageRef(chat=chat, message_id=quote.message_id, sender=quote.sender)


def _mentioned_in(quote: WaQuote) -> frozenset[WaJid]:
    return frozenset(jid.bare for jid in quote.preview.mentions) if quote.preview else frozenset()


def _people(jid: WaJid | None) -> frozenset[WaJid]:
    return frozenset() if jid is None else frozenset({jid.bare})


def _first_link(body: str) -> str | None:
    match = _LINK.search(body)
    return match[0].rstrip(_AFTER_LINK) if match else None
