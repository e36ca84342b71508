"""What is said of messages that Matrix has no counterpart of: one plain sentence or headline per kind."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from mautrix_whatsapp_py.convert.text import clean, clean_line, clean_name
from mautrix_whatsapp_py.model.rich import WaAmount, WaCard, WaCardKind

K = WaCardKind
ON_PHONE: Final = "Open WhatsApp on your phone to see it."
_MAX_LINE: Final = 500
TO_CHOOSE: Final = "Open WhatsApp on your phone to choose."

_HEADS: Final[dict[WaCardKind, str]] = {
    K.AI_ANSWER: "🤖 Answer of an AI",
    K.BOT_REGISTERED: "🤖 A bot was registered.",
    K.BOT_TASK: "🤖 Task of a bot",
    K.BROADCAST_CALL: "📞 Broadcast call",
    K.BUTTONS: "",
    K.BUTTON_ANSWER: "☑️ Chosen",
    K.CALL_LOG: "",
    K.CHAT: "💬 A chat was shared",
    K.EVENT_CHANGED: "📅 The event was changed.",
    K.EVENT_COVER: "🖼 Cover picture of an event",
    K.EVENT_INVITE: "📅 Invitation to an event",
    K.FORM_ANSWER: "📋 A form was filled in",
    K.GROUP_MENTIONED_IN_STATUS: "🔔 This group was mentioned in a status update.",
    K.GROUP_STATUS: "🔔 Status update for this group",
    K.HISTORY_SHARED: "🕘 Earlier messages of this chat were shared with a new member.",
    K.INTERACTIVE: "",
    K.INVOICE: "🧾 Invoice",
    K.KEPT: "🔖 A disappearing message was kept.",
    K.LIST: "",
    K.LIST_ANSWER: "☑️ Chosen",
    K.MENTIONED_IN_STATUS: "🔔 You were mentioned in a status update.",
    K.MUSIC: "🎵 Music",
    K.NEWSLETTER_ADMIN_INVITE: "📢 Invitation to manage a channel",
    K.NEWSLETTER_INVITE: "📢 Invitation to follow a channel",
    K.NEWSLETTER_PROFILE: "📢 The profile of a channel's admin was shared.",
    K.ORDER: "🛒 Order",
    K.PAYMENT: "💸 A payment was sent",
    K.PAYMENT_CANCELED: "💸 The request for a payment was canceled.",
    K.PAYMENT_DECLINED: "💸 The request for a payment was declined.",
    K.PAYMENT_INVITE: "💸 Invitation to set up payments on WhatsApp",
    K.PAYMENT_REMINDER: "💸 Reminder of a payment",
    K.PAYMENT_REQUEST: "💸 Request for a payment",
    K.PHONE_ONLY: (
        "🔒 You received a message that WhatsApp shows on your phone only, such as a one-time passcode. "
        "Open it there."
    ),
    K.PHONE_NUMBER_REQUEST: "📱 You were asked for your phone number. Answer in WhatsApp on your phone.",
    K.POLL_IMAGE: "🖼 Picture of a poll's option",
    K.POLL_OPTION_ADDED: "📊 An option was added to the poll",
    K.PRODUCT: "🛍 Product",
    K.QUESTION: "❓ Question",
    K.QUESTION_ANSWER: "💬 Answer to a question",
    K.SCHEDULED: "⏰ A message was scheduled. It appears when its time has come.",
    K.SCHEDULED_CALL: "📅 Scheduled call",
    K.SCHEDULED_CALL_CANCELED: "📅 The scheduled call was canceled.",
    K.SEALED: "🔒 Something was said about a message whose key this device does not have.",
    K.SEALED_VOTE: "🔒 A vote in a poll whose key this device does not have.",
    K.SETTING: "⚙️ A setting of this chat was changed.",
    K.SHARING_LIMITED: "🔒 Advanced chat privacy was turned on: nothing of this chat is to be shared elsewhere.",
    K.SHARING_UNLIMITED: "🔓 Advanced chat privacy was turned off.",
    K.SPLIT_PAYMENT: "💸 A bill to be split",
    K.SPLIT_PAYMENT_CHANGED: "💸 Somebody's share of a split bill was changed.",
    K.SPOILER: "🙈 Spoiler",
    K.STATUS_ADD_YOURS: "➕ “Add yours” in a status update",
    K.STATUS_NEWS: "🔔 Somebody answered or shared a status update.",
    K.STATUS_QUOTED: "🔔 A status update was quoted",
    K.STATUS_STICKER: "💟 Somebody reacted to a status update with a sticker.",
    K.STICKER_PACK: "💟 Sticker pack",
    K.TEMPLATE: "",
    K.TEMPLATE_ANSWER: "☑️ Chosen",
    K.UNKEPT: "🔖 A disappearing message is no longer kept.",
}
_NAMES_WITHOUT_WORDS: Final[dict[WaCardKind, str]] = {
    K.BUTTONS: "🔘 Message with buttons",
    K.INTERACTIVE: "🔘 Interactive message",
    K.LIST: "🔘 List to choose from",
    K.TEMPLATE: "🔘 Business message",
}
"""Headlines of cards that speak for themselves when they have words."""
_OPENED_ON_PHONE: Final = frozenset(
    {
        K.BOT_TASK,
        K.BROADCAST_CALL,
        K.CHAT,
        K.EVENT_CHANGED,
        K.EVENT_COVER,
        K.EVENT_INVITE,
        K.GROUP_MENTIONED_IN_STATUS,
        K.GROUP_STATUS,
        K.INVOICE,
        K.MENTIONED_IN_STATUS,
        K.NEWSLETTER_ADMIN_INVITE,
        K.NEWSLETTER_INVITE,
        K.NEWSLETTER_PROFILE,
        K.ORDER,
        K.PAYMENT,
        K.PAYMENT_INVITE,
        K.PAYMENT_REMINDER,
        K.PAYMENT_REQUEST,
        K.POLL_IMAGE,
        K.QUESTION,
        K.SCHEDULED_CALL,
        K.SEALED,
        K.SEALED_VOTE,
        K.SPLIT_PAYMENT,
        K.SPLIT_PAYMENT_CHANGED,
        K.SPOILER,
        K.STATUS_ADD_YOURS,
        K.STATUS_NEWS,
        K.STATUS_STICKER,
        K.STICKER_PACK,
    }
)
WRITTEN: Final = frozenset(
    {
        K.AI_ANSWER,
        K.BUTTONS,
        K.BUTTON_ANSWER,
        K.FORM_ANSWER,
        K.INTERACTIVE,
        K.LIST,
        K.LIST_ANSWER,
        K.ORDER,
        K.PRODUCT,
        K.QUESTION_ANSWER,
        K.STATUS_QUOTED,
        K.TEMPLATE,
        K.TEMPLATE_ANSWER,
    }
)
"""What somebody says; everything else is an event of the chat, and a notice."""
_OUTCOMES: Final = {
    "connected": "",
    "missed": "Missed ",
    "failed": "Failed ",
    "rejected": "Declined ",
    "accepted_elsewhere": "",
    "ongoing": "Ongoing ",
    "silenced_by_dnd": "Silenced ",
    "silenced_unknown_caller": "Silenced ",
}


def tell_card(card: WaCard) -> str:
    """A card as text in WhatsApp's markup."""
    if card.kind is K.CALL_LOG:
        return _tell_call(card)
    has_words = bool(card.title or card.body or card.details or card.media)
    blocks = [
        _HEADS[card.kind] or ("" if has_words else _NAMES_WITHOUT_WORDS[card.kind]),
        f"*{clean_line(card.title, _MAX_LINE)}*" if card.title.strip() else "",
        clean(card.body).strip(),
        "\n".join(clean_line(line, _MAX_LINE) for line in card.details),
        tell_amount(card.amount) if card.amount is not None else "",
        tell_moment(card.at) if card.at is not None else "",
        clean(card.link).strip(),
        f"_{clean_line(card.footer, _MAX_LINE)}_" if card.footer.strip() else "",
        "\n".join(f"* {clean_line(choice, _MAX_LINE)}" for choice in card.choices),
        _hint(card, has_words=has_words),
    ]
    return "\n\n".join(block for block in blocks if block)


def tell_amount(amount: WaAmount) -> str:
    """Money, as people write it."""
    sign = "-" if amount.thousandths < 0 else ""
    units, rest = divmod(abs(amount.thousandths), 1_000)
    # Thousandths are shown only where there are some.
    fraction = f"{rest // 10:02}" if rest % 10 == 0 else f"{rest:03}"
    return f"{sign}{units}.{fraction} {clean_name(amount.currency)}".rstrip()


def tell_moment(at: datetime) -> str:
    """A time; nobody knows where its reader is."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _hint(card: WaCard, *, has_words: bool) -> str:
    if card.choices:
        return TO_CHOOSE
    if card.kind in _OPENED_ON_PHONE or (not has_words and card.kind in _NAMES_WITHOUT_WORDS):
        return ON_PHONE
    return ""


def _tell_call(card: WaCard) -> str:
    medium, outcome, seconds = (*card.details, "voice", "", "0")[:3]
    what = f"{_OUTCOMES.get(outcome, '')}{medium} call"
    duration = _tell_duration(int(seconds)) if seconds.isdecimal() and len(seconds) < 10 else ""
    return f"📞 {what[0].upper()}{what[1:]}{duration}"


def _tell_duration(seconds: int) -> str:
    if not seconds:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f", {minutes}:{rest:02} minutes"
