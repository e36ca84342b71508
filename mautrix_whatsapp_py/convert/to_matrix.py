"""WhatsApp messages as Matrix events: pure, and the same every time it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, assert_never

from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.convert.context import DeletedPolicy, ToMatrixContext
from mautrix_whatsapp_py.convert.emoji import to_matrix_emoji
from mautrix_whatsapp_py.convert.media import place_file
from mautrix_whatsapp_py.convert.mentions import name_mentions, notify
from mautrix_whatsapp_py.convert.polls import known_options, note_of, render_poll, to_poll_start
from mautrix_whatsapp_py.convert.quotes import render_quote
from mautrix_whatsapp_py.convert.results import (
    MxLive,
    MxPin,
    MxPollAnswer,
    MxPollSend,
    MxReact,
    MxRedact,
    MxSend,
    Skipped,
    SkipReason,
    ToMatrix,
)
from mautrix_whatsapp_py.convert.rich_to_matrix import place, say
from mautrix_whatsapp_py.convert.text import Formatted, clean, json_size, split_by_size
from mautrix_whatsapp_py.convert.wa_markup import may_have_markup, render_markup
from mautrix_whatsapp_py.ids import MxEventId, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxFlag,
    MxLinkPreview,
    MxMentions,
    MxMessageContent,
    MxMsgType,
    MxReactionContent,
    MxRelation,
    MxReply,
    WaContent,
    WaEdit,
    WaEphemeralTimer,
    WaReaction,
    WaRevoke,
    WaRich,
    WaSilent,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.rich import WaLiveLocation, WaPin, WaPoll, WaPollVote
from mautrix_whatsapp_py.model.wa import WaUndecryptable

EVENT_BYTES: Final = 40_000
"""What the text of one event may take: events end at 65,536 bytes, and encryption adds a third."""
EDIT_BYTES: Final = EVENT_BYTES // 2
"""An edit says everything twice."""
_HEAD_BYTES: Final = 8_000
"""Room for what stands before a text: a quote and the forwarded marker."""
_FORWARDED_HTML: Final = f"<p data-mx-forwarded-notice><em>{notices.FORWARDED}</em></p>"


def to_matrix(content: WaContent | WaUndecryptable, context: ToMatrixContext) -> ToMatrix:
    """What a message comes to on Matrix."""
    match content:
        case WaText():
            return _send_text(content, context)
        case WaMedia():
            return _send_media(content, context)
        case WaEdit(content=text):
            return _edit_text(text, context)
        case WaRevoke():
            return _redact(content, context)
        case WaReaction():
            return _react(content, context)
        case WaUndecryptable():
            if context.placeholder is not None:
                return Skipped(reason=SkipReason.UNCHANGED)
            return MxSend(parts=(_notice(notices.UNDECRYPTABLE, MxFlag.UNDECRYPTABLE),))
        case WaViewOnceNotice(kind=kind):
            told = notices.tell_view_once(kind, is_from_me=context.is_from_me)
            return _send_notice(_notice(told, MxFlag.VIEW_ONCE), context)
        case WaUnsupported(kind=kind):
            return _send_notice(_notice(notices.tell_unsupported(kind), MxFlag.UNSUPPORTED), context)
        case WaEphemeralTimer(timer_s=timer_s, is_automatic=is_automatic):
            notice = _notice(notices.tell_timer(timer_s, is_automatic=is_automatic))
            return MxSend(parts=(notice,), timer_s=max(timer_s, 0))
        case WaSilent():
            return Skipped(reason=SkipReason.NOT_FOR_USERS)
        case _:
            return _send_rich(content, context)


def _send_rich(content: WaRich, context: ToMatrixContext) -> ToMatrix:
    match content:
        case WaPoll():
            return _send_poll(content, context)
        case WaPollVote(options=digests):
            return _about_target(MxPollAnswer(digests=digests), context)
        case WaPin(is_pinned=is_pinned, seconds=seconds):
            if not context.targets:
                return Skipped(reason=SkipReason.TARGET_UNKNOWN)
            return MxPin(event_id=context.targets[0], is_pinned=is_pinned, seconds=seconds)
        case WaLiveLocation(sequence=sequence):
            said = place(content, _send_text(say(content), context), context)
            return MxLive(part=said.parts[0], sequence=sequence)
        case _:
            return place(content, _send_text(say(content), context), context)


def _send_poll(content: WaPoll, context: ToMatrixContext) -> MxPollSend:
    """The text form is said like any other text: it quotes, and goes with the chat's timer."""
    start = to_poll_start(content)
    shown = render_poll(start, note=note_of(content))
    text = _message(shown, WaText(body="", context=content.context), context)
    if context.placeholder is not None:
        text = replace(text, relation=MxEdit(event_id=context.placeholder))
    elif context.reply_to is not None:
        text = replace(text, relation=MxReply(event_id=context.reply_to.event_id))
    return MxPollSend(start=start, text=text, options=known_options(content), ends_at=content.ends_at)


def _about_target(result: MxPollAnswer, context: ToMatrixContext) -> ToMatrix:
    return result if context.targets else Skipped(reason=SkipReason.TARGET_UNKNOWN)


def _send_text(content: WaText, context: ToMatrixContext) -> MxSend:
    # Clients ignore a relation that an edit brings, so what replaces a placeholder quotes in its text.
    replies = context.reply_to is not None and context.placeholder is None
    limit = EVENT_BYTES if context.placeholder is None else EDIT_BYTES
    head = _render_head(content, context, with_quote=not replies)
    texts = _render_text(content, context, head, limit)
    mentions = _mentions(content, context)
    relation: MxRelation | None = None
    if context.placeholder is not None:
        relation = MxEdit(event_id=context.placeholder, notifies=mentions)
    elif context.reply_to is not None:
        relation = MxReply(event_id=context.reply_to.event_id)
    flags = frozenset({MxFlag.HIDES_EDITED} if context.placeholder is not None else ())
    first = _message(texts[0], content, context, mentions=mentions, relation=relation, flags=flags)
    return MxSend(parts=(first, *(_message(text, content, context) for text in texts[1:])))


def _send_media(content: WaMedia, context: ToMatrixContext) -> MxSend:
    """The caption's events, the first of which has the file."""
    said = _send_text(WaText(body=content.caption, context=content.context), context)
    is_edit = context.placeholder is not None
    first = place_file(content, context.file, said.parts[0], is_edit=is_edit)
    first = replace(first, album=context.album)
    return replace(said, parts=(first, *said.parts[1:]))


def _keep_file(part: MxMessageContent, edited: MxMessageContent | None) -> MxMessageContent:
    """A new caption leaves the file where it is."""
    if edited is None or edited.file is None:
        return part
    flags = part.flags | (edited.flags & {MxFlag.VOICE, MxFlag.VIEW_ONCE})
    name = edited.file_name or edited.body
    return replace(part, msgtype=edited.msgtype, file=edited.file, file_name=name, flags=flags)


def _edit_text(content: WaText, context: ToMatrixContext) -> ToMatrix:
    """The events of the message say the new text; what does not fit into them follows in new ones."""
    targets = context.targets
    if not targets:
        return Skipped(reason=SkipReason.TARGET_UNKNOWN)
    head = _render_head(content, context, with_quote=False)
    texts = _render_text(content, context, head, EDIT_BYTES)
    mentions = _mentions(content, context)
    parts = tuple(
        _message(
            text,
            content,
            context,
            mentions=mentions if index == 0 else MxMentions(),
            relation=MxEdit(event_id=targets[index]) if index < len(targets) else None,
        )
        for index, text in enumerate(texts)
    )
    parts = (_keep_file(parts[0], context.edited), *parts[1:])
    return MxSend(parts=parts, redacts=targets[len(texts) :])


def _redact(content: WaRevoke, context: ToMatrixContext) -> ToMatrix:
    if not context.targets:
        return Skipped(reason=SkipReason.TARGET_UNKNOWN)
    match context.options.deleted:
        case DeletedPolicy.IGNORE:
            return Skipped(reason=SkipReason.BY_OPTION)
        case DeletedPolicy.MARK:
            relation = MxReply(event_id=context.targets[0])
            return MxSend(parts=(_notice(notices.DELETED, MxFlag.DELETED, relation=relation),))
        case DeletedPolicy.REDACT:
            author = content.target.sender
            is_by_admin = author is not None and _user(author, context) != _user(context.sender, context)
            return MxRedact(targets=context.targets, is_by_admin=is_by_admin)
        case _:
            assert_never(context.options.deleted)


def _react(content: WaReaction, context: ToMatrixContext) -> ToMatrix:
    if not context.targets:
        return Skipped(reason=SkipReason.TARGET_UNKNOWN)
    own = context.own_reaction
    key = to_matrix_emoji(clean(content.emoji).strip())
    if (own.key if own else "") == key:
        return Skipped(reason=SkipReason.UNCHANGED)
    sends = MxReactionContent(event_id=context.targets[0], key=key) if key else None
    return MxReact(redacts=own.event_id if own else None, sends=sends)


def _send_notice(notice: MxMessageContent, context: ToMatrixContext) -> MxSend:
    """A notice in the place of a message; it replaces the placeholder of one that came undecrypted."""
    return MxSend(parts=(_in_place(notice, context.placeholder),))


def _in_place(notice: MxMessageContent, placeholder: MxEventId | None) -> MxMessageContent:
    if placeholder is None:
        return notice
    flags = notice.flags | {MxFlag.HIDES_EDITED}
    return replace(notice, relation=MxEdit(event_id=placeholder), flags=flags)


def _notice(text: str, *flags: MxFlag, relation: MxRelation | None = None) -> MxMessageContent:
    return MxMessageContent(
        msgtype=MxMsgType.NOTICE, body=text, mentions=MxMentions(), flags=frozenset(flags), relation=relation
    )


def _message(
    text: Formatted,
    content: WaText,
    context: ToMatrixContext,
    *,
    mentions: MxMentions | None = None,
    relation: MxRelation | None = None,
    flags: Iterable[MxFlag] = (),
) -> MxMessageContent:
    forwarded = {MxFlag.FORWARDED} if content.context.is_forwarded else frozenset()
    return MxMessageContent(
        body=text.body,
        html=text.html,
        mentions=mentions or MxMentions(),
        relation=relation,
        flags=frozenset(flags) | forwarded,
        link_previews=_link_previews(content, context),
        disappears_after_s=content.context.disappears_after_s,
    )


def _render_head(content: WaText, context: ToMatrixContext, *, with_quote: bool) -> tuple[Formatted, ...]:
    """What stands before the text."""
    head: list[Formatted] = []
    if content.context.is_forwarded:
        head.append(Formatted(body=notices.FORWARDED, html=_FORWARDED_HTML))
    if with_quote and content.context.quote is not None:
        head.append(render_quote(content.context.quote, context.chat, context.people))
    return tuple(head)


def _render_text(
    content: WaText, context: ToMatrixContext, head: tuple[Formatted, ...], limit_bytes: int
) -> tuple[Formatted, ...]:
    """The text in as many parts as it takes; the first has the head."""
    named = name_mentions(content.context.mentions, context.people)
    body = clean(content.body)
    if json_size(body) <= limit_bytes:
        whole = _join(head, render_markup(body, named))
        if _size(whole) <= limit_bytes:
            return (whole,)
    # Markup takes about as much again as the text; without any there is room for twice as much.
    piece_bytes = (limit_bytes - _HEAD_BYTES) // (2 if may_have_markup(body) else 1)
    pieces = split_by_size(body, piece_bytes)
    rendered = tuple(render_markup(piece, named) for piece in pieces)
    parts = (_join(head, rendered[0]), *rendered[1:])
    return tuple(part if _size(part) <= limit_bytes else Formatted(body=part.body) for part in parts)


def _join(head: tuple[Formatted, ...], text: Formatted) -> Formatted:
    if not head:
        return text
    return Formatted(
        body="\n\n".join(part.body for part in (*head, text)),
        html="".join(part.markup for part in (*head, text)),
    )


def _size(text: Formatted) -> int:
    return json_size(text.body) + json_size(text.html or "")


def _mentions(content: WaText, context: ToMatrixContext) -> MxMentions:
    """Those mentioned and the author of the message replied to; nobody notifies themselves."""
    users = set(notify(content.context.mentions, context.people))
    quote = content.context.quote
    if quote is not None:
        users |= notify((quote.sender,), context.people)
        if context.reply_to is not None:
            users.add(context.reply_to.sender)
    users.discard(context.sender_user)
    return MxMentions(users=frozenset(users), room=content.context.mentions_all)


def _link_previews(content: WaText, context: ToMatrixContext) -> tuple[MxLinkPreview, ...]:
    preview = content.link_preview
    if preview is None or not context.options.with_link_previews:
        return ()
    return (
        MxLinkPreview(
            matched_url=clean(preview.url),
            title=clean(preview.title),
            description=clean(preview.description),
            image=context.preview_image,
        ),
    )


def _user(jid: WaJid, context: ToMatrixContext) -> MxUserId | WaJid:
    if jid.bare == context.sender.bare:
        return context.sender_user
    person = context.people.get(jid.bare)
    return jid.bare if person is None else person.user_id
