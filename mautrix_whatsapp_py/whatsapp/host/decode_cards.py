"""Messages that Matrix has no counterpart of, from protobuf to cards: what they are and the words in them.

Every field of the protocol that is none of the other decoders' is named here; nothing raises.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaContext
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.rich import WaAmount, WaCard, WaCardKind
from mautrix_whatsapp_py.whatsapp.host.decode_context import MAX_TEXT, decode_context
from mautrix_whatsapp_py.whatsapp.host.decode_media import decode_media
from mautrix_whatsapp_py.whatsapp.host.decode_rich import decode_moment
from mautrix_whatsapp_py.whatsapp.host.decode_scene import Scene
from mautrix_whatsapp_py.whatsapp.host.protobuf import get_text

K = WaCardKind
_MAX_LINE: Final = 2_048
_MAX_CHOICES: Final = 50
_MAX_MONEY: Final = 2**53
_HEADERS: Final = ("imageMessage", "videoMessage", "documentMessage")

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
        return WaCard(kind=_PLAIN[name], context=_context(part, scene))
    decoder = _DECODERS.get(name)
    return None if decoder is None else decoder(part, scene)


def _line(text: str | bytes) -> str:
    return get_text(text, _MAX_LINE).strip()


def _lines(texts: Iterable[str | bytes]) -> tuple[str, ...]:
    found = (_line(text) for text in texts)
    return tuple(line for line in found if line)[:_MAX_CHOICES]


def _context(part: Any, scene: Scene) -> WaContext:
    return decode_context(part, scene.source.chat)


def _header(part: Any, chat: WaJid) -> WaMedia | None:
    """The file above a card."""
    for name in _HEADERS:
        if name in part.DESCRIPTOR.fields_by_name and part.HasField(name):
            return decode_media(name, getattr(part, name), chat)
    return None


def _thousandths(value: int, currency: str) -> WaAmount | None:
    bounded = max(-_MAX_MONEY, min(value, _MAX_MONEY))
    return WaAmount(thousandths=bounded, currency=_line(currency)[:8]) if bounded else None


def _money(amount: Any) -> WaAmount | None:
    return _thousandths(amount.value * 1000 // max(amount.offset, 1), amount.currencyCode)


# Business


def _decode_buttons(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.BUTTONS,
        title=_line(part.text),
        body=get_text(part.contentText, MAX_TEXT),
        footer=_line(part.footerText),
        choices=_lines(button.buttonText.displayText for button in part.buttons),
        media=_header(part, scene.source.chat),
        context=_context(part, scene),
    )


def _decode_list(part: Any, scene: Scene) -> WaCard:
    rows = (row for section in part.sections for row in section.rows)
    return WaCard(
        kind=K.LIST,
        title=_line(part.title),
        body=get_text(part.description, MAX_TEXT),
        footer=_line(part.footerText),
        choices=_lines(": ".join(filter(None, (_line(row.title), _line(row.description)))) for row in rows),
        context=_context(part, scene),
    )


def _decode_template(part: Any, scene: Scene) -> WaCard:
    if part.HasField("interactiveMessageTemplate"):
        return _decode_interactive(part.interactiveMessageTemplate, scene)
    hydrated = part.hydratedTemplate if part.HasField("hydratedTemplate") else part.hydratedFourRowTemplate
    if not hydrated.ListFields() and part.HasField("fourRowTemplate"):
        card = _decode_structured(part.fourRowTemplate.content, scene)
        return WaCard(kind=K.TEMPLATE, body=card.body, details=card.details, context=_context(part, scene))
    choices = _lines(_button_text(button) for button in hydrated.hydratedButtons)
    return WaCard(
        kind=K.PHONE_ONLY if hydrated.maskLinkedDevices and not hydrated.hydratedContentText else K.TEMPLATE,
        title=_line(hydrated.hydratedTitleText),
        body=get_text(hydrated.hydratedContentText, MAX_TEXT),
        footer=_line(hydrated.hydratedFooterText),
        choices=choices,
        media=_header(hydrated, scene.source.chat),
        context=_context(part, scene),
    )


def _button_text(button: Any) -> str:
    url, call = button.urlButton, button.callButton
    if button.HasField("urlButton"):
        return " ".join(filter(None, (_line(url.displayText), _line(url.URL))))
    if button.HasField("callButton"):
        return " ".join(filter(None, (_line(call.displayText), _line(call.phoneNumber))))
    return _line(button.quickReplyButton.displayText)


def _decode_structured(part: Any, scene: Scene) -> WaCard:
    if part.HasField("hydratedHsm"):
        return _decode_template(part.hydratedHsm, scene)
    return WaCard(kind=K.TEMPLATE, details=_lines(part.params))


def _decode_interactive(part: Any, scene: Scene) -> WaCard:
    cards = part.carouselMessage.cards[:10]
    choices = (_native_text(button.buttonParamsJSON) for button in part.nativeFlowMessage.buttons)
    return WaCard(
        kind=K.INTERACTIVE,
        title=_line(part.header.title) or _line(part.header.subtitle),
        body=get_text(part.body.text, MAX_TEXT),
        footer=_line(part.footer.text),
        details=_lines(
            ": ".join(filter(None, (_line(card.header.title), _line(card.body.text)))) for card in cards
        ),
        choices=_lines(choices),
        media=_header(part.header, scene.source.chat),
        context=_context(part, scene),
    )


def _native_text(params: str | bytes) -> str:
    """What a button says and where it leads; its parameters are JSON of the business."""
    try:
        said = json.loads(get_text(params, MAX_TEXT))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    texts = (said.get(name) for name in ("display_text", "title", "url", "copy_code", "phone_number"))
    return " ".join(text for text in texts if isinstance(text, str))


def _decode_list_answer(part: Any, scene: Scene) -> WaCard:
    body = _line(part.title) or _line(part.description) or _line(part.singleSelectReply.selectedRowID)
    return WaCard(kind=K.LIST_ANSWER, body=body, context=_context(part, scene))


def _decode_button_answer(part: Any, scene: Scene) -> WaCard:
    body = _line(part.selectedDisplayText) or _line(part.selectedButtonID)
    return WaCard(kind=K.BUTTON_ANSWER, body=body, context=_context(part, scene))


def _decode_template_answer(part: Any, scene: Scene) -> WaCard:
    body = _line(part.selectedDisplayText) or _line(part.selectedID)
    return WaCard(kind=K.TEMPLATE_ANSWER, body=body, context=_context(part, scene))


def _decode_form_answer(part: Any, scene: Scene) -> WaCard:
    return WaCard(kind=K.FORM_ANSWER, body=get_text(part.body.text, MAX_TEXT), context=_context(part, scene))


def _decode_order(part: Any, scene: Scene) -> WaCard:
    count = part.itemCount
    return WaCard(
        kind=K.ORDER,
        title=_line(part.orderTitle),
        body=get_text(part.message, MAX_TEXT),
        details=(f"{count} items" if count != 1 else "1 item",) if count > 0 else (),
        amount=_thousandths(part.totalAmount1000, part.totalCurrencyCode),
        context=_context(part, scene),
    )


def _decode_product(part: Any, scene: Scene) -> WaCard:
    product, catalog = part.product, part.catalog
    return WaCard(
        kind=K.PRODUCT,
        title=_line(product.title) or _line(catalog.title),
        body=get_text(product.description, MAX_TEXT)
        or get_text(part.body, MAX_TEXT)
        or _line(catalog.description),
        footer=_line(part.footer),
        amount=_thousandths(product.salePriceAmount1000 or product.priceAmount1000, product.currencyCode),
        link=_line(product.URL),
        media=decode_media("imageMessage", product.productImage, scene.source.chat),
        context=_context(part, scene),
    )


# Money


def _note(message: Any) -> str:
    return get_text(message.extendedTextMessage.text or message.conversation, MAX_TEXT)


def _decode_payment(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.PAYMENT, body=_note(part.noteMessage))


def _decode_payment_request(part: Any, _scene: Scene) -> WaCard:
    amount = _money(part.amount) or _thousandths(part.amount1000, part.currencyCodeIso4217)
    at = decode_moment(part.expiryTimestamp)
    return WaCard(kind=K.PAYMENT_REQUEST, body=_note(part.noteMessage), amount=amount, at=at)


def _decode_reminder(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.PAYMENT_REMINDER, body=_line(part.description), amount=_money(part.amount))


def _decode_split(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.SPLIT_PAYMENT,
        body=_line(part.description),
        amount=_money(part.totalAmount),
        context=_context(part, scene),
    )


def _decode_invoice(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.INVOICE, body=_line(part.note))


# Channels, calls, status and the rest


def _decode_newsletter_invite(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.NEWSLETTER_ADMIN_INVITE if hasattr(part, "inviteExpiration") else K.NEWSLETTER_INVITE,
        title=_line(part.newsletterName),
        body=get_text(part.caption, MAX_TEXT),
        at=decode_moment(getattr(part, "inviteExpiration", 0)),
        context=_context(part, scene),
    )


def _decode_call_log(part: Any, scene: Scene) -> WaCard:
    medium = "video" if part.isVideo else "voice"
    outcome = scene.protobuf.enum_name(part, "callOutcome").lower()
    seconds = str(max(part.durationSecs, 0)) if part.durationSecs < _MAX_MONEY else "0"
    return WaCard(kind=K.CALL_LOG, details=(medium, outcome, seconds))


def _decode_scheduled_call(part: Any, _scene: Scene) -> WaCard:
    at = decode_moment(part.scheduledTimestampMS, per_second=1000)
    return WaCard(kind=K.SCHEDULED_CALL, title=_line(part.title), at=at)


def _decode_broadcast_call(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.BROADCAST_CALL, body=_line(part.caption))


def _decode_event_invite(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.EVENT_INVITE,
        title=_line(part.eventTitle),
        body=get_text(part.caption, MAX_TEXT),
        at=decode_moment(part.startTime),
        link=_line(part.callLink),
        context=_context(part, scene),
    )


def _decode_keep(part: Any, scene: Scene) -> WaCard:
    is_undone = scene.protobuf.enum_name(part, "keepType") == "UNDO_KEEP_FOR_ALL"
    return WaCard(kind=K.UNKEPT if is_undone else K.KEPT)


def _decode_stickers(part: Any, scene: Scene) -> WaCard:
    return WaCard(
        kind=K.STICKER_PACK,
        title=_line(part.name),
        body=_line(part.caption) or _line(part.packDescription),
        details=_lines([part.publisher]),
        context=_context(part, scene),
    )


def _decode_ai(part: Any, scene: Scene) -> WaCard:
    texts = (get_text(getattr(one, "messageText", ""), MAX_TEXT) for one in part.submessages[:50])
    body = "\n\n".join(text for text in texts if text)[:MAX_TEXT]
    return WaCard(kind=K.AI_ANSWER, body=body, context=_context(part, scene))


def _decode_text(kind: WaCardKind) -> Callable[[Any, Scene], WaCard]:
    return lambda part, _scene: WaCard(kind=kind, body=get_text(part.text, MAX_TEXT))


def _decode_option(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.POLL_OPTION_ADDED, body=_line(part.addOption.optionName))


def _decode_music(part: Any, scene: Scene) -> WaCard:
    song = part.embeddedMusic
    return WaCard(kind=K.MUSIC, title=_line(song.title), body=_line(song.author), context=_context(part, scene))


def _decode_chat(part: Any, _scene: Scene) -> WaCard:
    return WaCard(kind=K.CHAT, title=_line(part.displayName))


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
    "buttonsMessage": _decode_buttons,
    "buttonsResponseMessage": _decode_button_answer,
    "callLogMesssage": _decode_call_log,
    "chat": _decode_chat,
    "eventInviteMessage": _decode_event_invite,
    "highlyStructuredMessage": _decode_structured,
    "interactiveMessage": _decode_interactive,
    "interactiveResponseMessage": _decode_form_answer,
    "invoiceMessage": _decode_invoice,
    "keepInChatMessage": _decode_keep,
    "listMessage": _decode_list,
    "listResponseMessage": _decode_list_answer,
    "musicMessage": _decode_music,
    "newsletterAdminInviteMessage": _decode_newsletter_invite,
    "newsletterFollowerInviteMessageV2": _decode_newsletter_invite,
    "orderMessage": _decode_order,
    "paymentReminderMessage": _decode_reminder,
    "pollAddOptionMessage": _decode_option,
    "productMessage": _decode_product,
    "questionResponseMessage": _decode_text(K.QUESTION_ANSWER),
    "requestPaymentMessage": _decode_payment_request,
    "richResponseMessage": _decode_ai,
    "scheduledCallCreationMessage": _decode_scheduled_call,
    "sendPaymentMessage": _decode_payment,
    "splitPaymentMessage": _decode_split,
    "statusQuestionAnswerMessage": _decode_text(K.QUESTION_ANSWER),
    "statusQuotedMessage": _decode_text(K.STATUS_QUOTED),
    "stickerPackMessage": _decode_stickers,
    "templateButtonReplyMessage": _decode_template_answer,
    "templateMessage": _decode_template,
}
