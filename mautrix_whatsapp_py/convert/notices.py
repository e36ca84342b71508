"""Every sentence the converters say to people: what happened, and what to do."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from mautrix_whatsapp_py.model.content import WaKind

FORWARDED: Final = "↷ Forwarded"
UNDECRYPTABLE: Final = (
    "This message could not be decrypted yet. The sender's phone was asked to send it again; "
    "it will appear here when it arrives."
)
NOT_SHOWN: Final = (
    "A message from WhatsApp cannot be shown here, because the Matrix server refused it. "
    "Open WhatsApp on your phone to read it."
)
DELETED: Final = "🗑 This message was deleted on WhatsApp."
QUOTE_MISSING: Final = "a message that is not in this room"
ELSEWHERE: Final = "in another chat"
ON_STATUS: Final = "status update"
SOMEONE: Final = "Someone"


class Refusal(StrEnum):
    """Why something does not go to WhatsApp."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    KIND = "kind"
    EDIT_TOO_OLD = "edit_too_old"
    EDIT_NOT_OWN = "edit_not_own"
    EDIT_UNKNOWN = "edit_unknown"
    REACTION_UNKNOWN = "reaction_unknown"
    REACTION_IMAGE = "reaction_image"
    REACTION_TEXT = "reaction_text"
    REACTION_NOT_OWN = "reaction_not_own"
    REDACTION_UNCLEAR = "redaction_unclear"
    REDACTION_TOO_OLD = "redaction_too_old"
    REDACTION_NOT_ALLOWED = "redaction_not_allowed"
    POLL_HIDDEN = "poll_hidden"
    POLL_QUESTION = "poll_question"
    POLL_OPTIONS = "poll_options"
    POLL_REPEATS = "poll_repeats"
    POLL_UNKNOWN = "poll_unknown"
    POLL_NOT_OWN = "poll_not_own"


def explain(refusal: Refusal) -> str:
    """The sentence for the person who wrote it."""
    return _SENTENCES[refusal]


_SENTENCES: Final = {
    Refusal.EMPTY: "There is nothing in this message that WhatsApp could show. Write some text and send it again.",
    Refusal.TOO_LONG: "The message is longer than WhatsApp allows. Send it in several parts.",
    Refusal.KIND: "WhatsApp has nothing like this kind of message. Send it as text or as a file.",
    Refusal.EDIT_TOO_OLD: (
        "WhatsApp allows edits for 15 minutes only, so people there still see the old text. "
        "Send a new message instead."
    ),
    Refusal.EDIT_NOT_OWN: "WhatsApp lets you edit only your own messages. Reply to it instead.",
    Refusal.EDIT_UNKNOWN: "The message you edited is not on WhatsApp: nothing was changed there. Send it again.",
    Refusal.REACTION_UNKNOWN: "The message you reacted to is not on WhatsApp, so nobody there sees the reaction.",
    Refusal.REACTION_IMAGE: "WhatsApp has no reactions with custom images. React with an emoji instead.",
    Refusal.REACTION_TEXT: "WhatsApp allows only a single emoji as a reaction. React with an emoji instead.",
    Refusal.REACTION_NOT_OWN: (
        "WhatsApp lets nobody remove another's reaction, so people there still see it. "
        "Ask its writer to remove it."
    ),
    Refusal.REDACTION_UNCLEAR: (
        "Your client named two different messages to remove, so nothing was deleted on WhatsApp. "
        "Try another client."
    ),
    Refusal.REDACTION_TOO_OLD: (
        "WhatsApp deletes messages for everyone for two days only, so people there still see it. "
        "You can delete it on your own phone."
    ),
    Refusal.REDACTION_NOT_ALLOWED: (
        "WhatsApp lets you delete only your own messages, and others' only as an admin of the group. "
        "Ask a group admin."
    ),
    Refusal.POLL_HIDDEN: (
        "WhatsApp has no polls whose votes stay hidden until the end. Make a poll with open results instead."
    ),
    Refusal.POLL_QUESTION: "WhatsApp needs a question of 1 to 255 characters. Make a new poll with such a one.",
    Refusal.POLL_OPTIONS: (
        "A poll on WhatsApp has 2 to 12 options of up to 100 characters each. Make a new poll with such options."
    ),
    Refusal.POLL_REPEATS: "WhatsApp wants the options of a poll to differ. Make a new poll with such options.",
    Refusal.POLL_UNKNOWN: "That poll is not on WhatsApp, so nothing was changed there.",
    Refusal.POLL_NOT_OWN: "Only who made a poll can end it, so people on WhatsApp were told nothing.",
}


_KIND_NAMES: Final = {
    WaKind.TEXT: "💬 Message",
    WaKind.IMAGE: "📷 Photo",
    WaKind.VIDEO: "🎥 Video",
    WaKind.GIF: "🎞 GIF",
    WaKind.AUDIO: "🎵 Audio",
    WaKind.VOICE: "🎤 Voice message",
    WaKind.DOCUMENT: "📄 Document",
    WaKind.STICKER: "💟 Sticker",
    WaKind.CONTACT: "👤 Contact",
    WaKind.LOCATION: "📍 Location",
    WaKind.POLL: "📊 Poll",
    WaKind.OTHER: "💬 Message",
}


def name_kind(kind: WaKind) -> str:
    """What stands for a message that is not text, in a quote."""
    return _KIND_NAMES[kind]


_PLAIN_KIND: Final = {
    WaKind.IMAGE: "photo",
    WaKind.VIDEO: "video",
    WaKind.AUDIO: "audio message",
    WaKind.VOICE: "voice message",
}


def tell_view_once(kind: WaKind, *, is_from_me: bool) -> str:
    """A view-once message was sent or received."""
    what = f"view-once {_PLAIN_KIND.get(kind, 'message')}"
    if is_from_me:
        return f"You sent a {what} from another device. WhatsApp does not show it here."
    return f"You received a {what}. WhatsApp shows it on your phone only: open it there."


_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_VERSION: Final = re.compile(r"V[0-9]+$")
_MAX_KIND: Final = 60


def tell_unsupported(kind: str) -> str:
    """A message cannot be shown; names its kind."""
    words = _WORDS.findall(_VERSION.sub("", kind[:_MAX_KIND]))
    name = " ".join(word.lower() for word in words if word.lower() != "message")
    what = f"{name} message" if name else "message of an unknown kind"
    return f"This is a {what}, which cannot be shown here. Open WhatsApp on your phone to see it."


def tell_timer(timer_s: int, *, is_automatic: bool) -> str:
    """The time after which messages disappear has changed."""
    if timer_s <= 0:
        return "Disappearing messages were turned off."
    how = "now disappear" if not is_automatic else "now disappear, as set by WhatsApp,"
    return f"New messages {how} after {_span(timer_s)}."


def _span(seconds: int) -> str:
    for unit_s, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return _count(seconds // unit_s, unit)
    return _count(seconds, "second")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


NO_LOGIN: Final = (
    "What you write here does not reach WhatsApp, because none of your WhatsApp accounts is in this chat. "
    "Send `login` to the bridge bot to link one."
)
MOVED: Final = "This chat goes on in another room. Write there."
REFUSED: Final = "WhatsApp refused it. Try again later, or send it from your phone."
NOT_IN_GROUP: Final = (
    "{number} is not in this group, so it reached nobody there. Ask somebody in the group to add that account, "
    "and send it again."
)
EXPIRED: Final = (
    "WhatsApp could not be reached for too long. Check your link with the bridge bot and send it again."
)
UNREADABLE: Final = "The bridge cannot read encrypted messages. Switch to a room without encryption."
KEY_AWAITED: Final = "The bridge hasn't received the decryption keys yet. It asks for them and goes on trying."
KEY_MISSING: Final = (
    "The bridge hasn't received the decryption keys. It goes on trying for a day; "
    "if the message matters, send it again."
)
KEY_REFUSED: Final = (
    "Your client does not give its keys to the bridge, whose session it does not take for verified. Verify that "
    "session by hand, or let your client write to sessions that are not verified, and send it again."
)
NOT_DECRYPTABLE: Final = "It could not be decrypted. Send it again."
REPEATED_CIPHER: Final = "Your client encrypted several messages with the same key. Restart it and send it again."
UNKNOWN_CIPHER: Final = "It is encrypted in a way the bridge does not know."
UNKNOWN_SESSION: Final = "It was encrypted by a session that your account does not have. Send it from another one."
UNTRUSTED_SESSION: Final = (
    "It was encrypted by a session that is not verified, which this bridge requires. Verify that session and "
    "send it again, or send it from another one."
)
NOT_ENCRYPTED: Final = "It is not encrypted, which this bridge requires. Switch encryption on in this room."
UNKNOWN_OUTCOME: Final = "WhatsApp did not confirm it. Look at your phone before you send it again."


def tell_failed(what: str, reason: str) -> str:
    """Something did not reach WhatsApp."""
    return f"⚠️ Your {what} was not bridged: {reason}"


def tell_uncertain(what: str) -> str:
    """Something may have reached WhatsApp or not."""
    return f"⚠️ Your {what} may not have been bridged: {UNKNOWN_OUTCOME}"
