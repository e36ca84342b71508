"""Messages that Matrix has no counterpart of, from protobuf to cards: what they are and the words in them.

Every field of the protocol that is none of the other decoders' is named here; nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mautrix_whatsapp_py.model.rich import WaCard, WaCardKind
from mautrix_whatsapp_py.whatsapp.host import decode_business as business
from mautrix_whatsapp_py.whatsapp.host.card_parts import (
    MAX_NUMBER,
    get_amount,
    get_context,
    get_line,
    get_lines,
    get_money,
)
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_TEXT
from mautrix_whatsapp_py.whatsapp.host.decode_rich import decode_moment
from mautrix_whatsapp_py.whatsapp.host.decode_scene import Scene
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_text

K = WaCardKind

WRAPPER_CARDS: Final[dict[str, WaCardKind]] = {
    "acp2SettingMessage": K.SETTING,
    "botPlatformRegistrationSuccessMessage": K.BOT_REGISTERED,
    "botTaskMessage": K.BOT_TASK,
    "eventCoverImage": K.EVENT_COVER,
    "groupStatusMentionMessage": K.GROUP_MENTIONED_IN_STATUS,
    "groupStatusMessage": K.GROUP_STATUS,
    "groupStatusMessageV2": K.GROUP_STATUS,
    "newsletterAdminProfileMessage": K.NEWSLETTER_PROFILE,
    "newsletterAdminProfileStatusMessage": K.NEWSLETTER_PROFILE,
    "newsletterScheduledMessage": K.SCHEDULED,
    "pollCreationOptionImageMessage": K.POLL_IMAGE,
    "questionMessage": K.QUESTION,
    "questionReplyMessage": K.QUESTION_ANSWER,
    "spoilerMessage": K.SPOILER,
    "statusAddYours": K.STATUS_ADD_YOURS,
    "statusMentionMessage": K.MENTIONED_IN_STATUS,
}
"""What the wrappers say that may come with nothing in them for users."""


def decode_wrapper_card(wrappers: Iterable[str], inner: Any, scene: Scene) -> WaCard | None:
    """What a wrapper says by itself; None when it only says how its content is meant."""
    names = set(wrappers)
    if "limitSharingMessage" in names or inner.protocolMessage.HasField("limitSharing"):
        is_limited = inner.protocolMessage.limitSharing.sharingLimited
        return WaCard(kind=K.SHARING_LIMITED if is_limited else K.SHARING_UNLIMITED)
    kind = next((card for name, card in WRAPPER_CARDS.items() if name in names), None)
    return None if kind is None else WaCard(kind=kind)


def decode_card(name: str, part: Any, scene: Scene) -> WaCard | None:
    """A card; None when this is none of its kinds."""
    if name in _PLAIN:
        return WaCard(kind=_PLAIN[name], context=get_context(part, scene))
    decoder = _DECODERS.get(name)
    return None if decoder is None else decoder(part, scene)


# Money


def _note(message: Any) -> str:
    return get_text(message.extendedTextMessage.text or message.conversation, MAX_TEXT)


def _decode_payment(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.PAYMENT, body=_note(part.noteMessage))


def _decode_payment_request(part: Any, _scene: Scene) -> WaCard:
    amount = get_money(part.amount) or get_amount(part.amount1000, part.currencyCodeIso4217)
    at = decode_moment(part.expiryTimestamp)
    return WaCard(kind=K.PAYMENT_REQUEST, body=_note(part.noteMessage), amount=amount, at=at)


def _decode_reminder(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.PAYMENT_REMINDER, body=get_line(part.description), amount=get_money(part.amount))


def _decode_split(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.SPLIT_PAYMENT,
        body=get_line(part.description),
        amount=get_money(part.totalAmount),
        context=get_context(part, scene),
    )


def _decode_invoice(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.INVOICE, body=get_line(part.note))


# Channels, calls, status and the rest


def _decode_newsletter_invite(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.NEWSLETTER_ADMIN_INVITE if hasattr(part, "inviteExpiration") else K.NEWSLETTER_INVITE,
        title=get_line(part.newsletterName),
        body=get_text(part.caption, MAX_TEXT),
        at=decode_moment(getattr(part, "inviteExpiration", 0)),
        context=get_context(part, scene),
    )


def _decode_call_log(part: Any, scene: Scene) -> WaCard:
    outcome = scene.protobuf.enum_name(part, "callOutcome").lower()
    seconds = str(part.durationSecs) if 0 < part.durationSecs < MAX_NUMBER else "0"
    return WaCard(kind=K.CALL_LOG, details=("video" if part.isVideo else "voice", outcome, seconds))


def _decode_scheduled_call(part: Any, _scene: Scene) -> WaCard:
    at = decode_moment(part.scheduledTimestampMS, per_second=1000)
    return WaCard(kind=K.SCHEDULED_CALL, title=get_line(part.title), at=at)


def _decode_broadcast_call(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.BROADCAST_CALL, body=get_line(part.caption))


def _decode_event_invite(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.EVENT_INVITE,
        title=get_line(part.eventTitle),
        body=get_text(part.caption, MAX_TEXT),
        at=decode_moment(part.startTime),
        link=get_line(part.callLink),
        context=get_context(part, scene),
    )


def _decode_keep(part: Any, scene: Scene) -> WaCard:
    is_undone = scene.protobuf.enum_name(part, "keepType") == "UNDO_KEEP_FOR_ALL"
    return WaCard(kind=K.UNKEPT if is_undone else K.KEPT)


def _decode_stickers(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.STICKER_PACK,
        title=get_line(part.name),
        body=get_line(part.caption) or get_line(part.packDescription),
        details=get_lines([part.publisher]),
        context=get_context(part, scene),
    )


def _decode_ai(part: Any, scene: Scene) -> WaCard:
    texts = (get_text(getattr(one, "messageText", ""), MAX_TEXT) for one in part.submessages[:50])
    body = "\n\n".join(text for text in texts if text)[:MAX_TEXT]
    return WaCard(kind=K.AI_ANSWER, body=body, context=get_context(part, scene))


def _decode_text(kind: WaCardKind) -> Callable[[Any, Scene], WaCard]:
    return lambda part, _scene: WaCard(kind=kind, body=get_text(part.text, MAX_TEXT))


def _decode_option(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.POLL_OPTION_ADDED, body=get_line(part.addOption.optionName))


def _decode_music(part: Any, scene: Scene) -> WaCard:
    song = part.embeddedMusic
    return WaCard(
        kind=K.MUSIC, title=get_line(song.title), body=get_line(song.author), context=get_context(part, scene)
    )


def _decode_chat(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.CHAT, title=get_line(part.displayName))


_PLAIN: Final[dict[str, WaCardKind]] = {
    "cancelPaymentRequestMessage": K.PAYMENT_CANCELED,
    "conditionalRevealMessage": K.SCHEDULED,
    "declinePaymentRequestMessage": K.PAYMENT_DECLINED,
    "encCommentMessage": K.SEALED,
    "encEventResponseMessage": K.SEALED,
    "encReactionMessage": K.SEALED,
    "messageHistoryBundle": K.HISTORY_SHARED,
    "messageHistoryNotice": K.HISTORY_SHARED,
    "paymentInviteMessage": K.PAYMENT_INVITE,
    "pollUpdateMessage": K.SEALED_VOTE,
    "placeholderMessage": K.PHONE_ONLY,
    "requestPhoneNumberMessage": K.PHONE_NUMBER_REQUEST,
    "scheduledCallEditMessage": K.SCHEDULED_CALL_CANCELED,
    "secretEncryptedMessage": K.SEALED,
    "splitPaymentUpdateMessage": K.SPLIT_PAYMENT_CHANGED,
    "statusNotificationMessage": K.STATUS_NEWS,
    "statusStickerInteractionMessage": K.STATUS_STICKER,
}
_DECODERS: Final[dict[str, Callable[[Any, Scene], WaCard]]] = {
    "bcallMessage": _decode_broadcast_call,
    "buttonsMessage": business.decode_buttons,
    "buttonsResponseMessage": business.decode_button_answer,
    "callLogMesssage": _decode_call_log,
    "chat": _decode_chat,
    "eventInviteMessage": _decode_event_invite,
    "highlyStructuredMessage": business.decode_structured,
    "interactiveMessage": business.decode_interactive,
    "interactiveResponseMessage": business.decode_form_answer,
    "invoiceMessage": _decode_invoice,
    "keepInChatMessage": _decode_keep,
    "listMessage": business.decode_list,
    "listResponseMessage": business.decode_list_answer,
    "musicMessage": _decode_music,
    "newsletterAdminInviteMessage": _decode_newsletter_invite,
    "newsletterFollowerInviteMessageV2": _decode_newsletter_invite,
    "orderMessage": business.decode_order,
    "paymentReminderMessage": _decode_reminder,
    "pollAddOptionMessage": _decode_option,
    "productMessage": business.decode_product,
    "questionResponseMessage": _decode_text(K.QUESTION_ANSWER),
    "requestPaymentMessage": _decode_payment_request,
    "richResponseMessage": _decode_ai,
    "scheduledCallCreationMessage": _decode_scheduled_call,
    "sendPaymentMessage": _decode_payment,
    "splitPaymentMessage": _decode_split,
    "statusQuestionAnswerMessage": _decode_text(K.QUESTION_ANSWER),
    "statusQuotedMessage": _decode_text(K.STATUS_QUOTED),
    "stickerPackMessage": _decode_stickers,
    "templateButtonReplyMessage": business.decode_template_answer,
    "templateMessage": business.decode_template,
}
