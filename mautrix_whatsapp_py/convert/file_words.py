"""Every sentence about files: why one did not come over, or came over as something else; pure."""

from __future__ import annotations

from typing import Final, assert_never

from mautrix_whatsapp_py.model.media_ready import UnreadyReason
from mautrix_whatsapp_py.model.wa_context import WaKind

MEGABYTE: Final = 1 << 20
HOW_TO_RETRY: Final = "React to this with 🔁, or reply `retry`, to have it tried again."
GOES_ON: Final = "The bridge goes on trying, and puts it here when it has it."
TRIED_AGAIN: Final = "It was tried again at {at}, in vain."
TOO_SLOW: Final = "fetching it takes long."
TOO_MANY_PIXELS: Final = (
    "It has more pixels than phones can open. Make it smaller and send it again, or send it as a file."
)
TWO_KINDS: Final = (
    "It has a file of another kind hidden in it, which is how viruses are passed on. Save it anew and send that."
)
NEVER_TAKEN: Final = (
    "WhatsApp's servers did not take the file, although they were asked many times. Send it again later."
)
NOT_STORED: Final = "the homeserver did not take it."
_NAMES: Final = {
    WaKind.IMAGE: "picture",
    WaKind.VIDEO: "video",
    WaKind.GIF: "GIF",
    WaKind.AUDIO: "audio file",
    WaKind.VOICE: "voice message",
    WaKind.STICKER: "sticker",
}


def name_kind(kind: WaKind) -> str:
    """What people call it."""
    return _NAMES.get(kind, "file")


def refuse_file(reason: UnreadyReason) -> str:
    """Why a file is not sent at all."""
    return TWO_KINDS if reason is UnreadyReason.TWO_KINDS else TOO_MANY_PIXELS


def tell_document(kind: WaKind, reason: UnreadyReason, max_bytes: int) -> str:
    """Why a file goes as a document instead."""
    return f"WhatsApp gets this {name_kind(kind)} as a document: {_why(reason, max_bytes)}"


def _why(reason: UnreadyReason, max_bytes: int) -> str:
    match reason:
        case UnreadyReason.TOO_LARGE:
            return f"it is larger than the {max_bytes // MEGABYTE} MB that phones show in the chat."
        case UnreadyReason.BROKEN | UnreadyReason.CRASHED:
            return "it is damaged, so the bridge could not convert it."
        case UnreadyReason.UNKNOWN:
            return "the bridge does not know its format."
        case UnreadyReason.TOO_SLOW:
            return "converting it would take too long."
        case UnreadyReason.TOO_MUCH_MEMORY:
            return "converting it would take too much memory."
        case UnreadyReason.TOO_MANY_PIXELS | UnreadyReason.TWO_KINDS:
            return "it could not be converted."
        case _:
            assert_never(reason)
