"""Names and topics that come from strangers, made fit for a room; and what people are told of groups: pure."""

from __future__ import annotations

import unicodedata

MAX_NAME = 100
"""WhatsApp's limit."""
MAX_TOPIC = 2048
_SHOWN_TOPIC = 16_000
_KEPT = "\n\t"
_JOINERS = "\u200c\u200d"
_BAD_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")
"""Marks that turn the reading direction of everything behind them, names of other people included."""


def clean_name(text: str) -> str:
    """One line without anything invisible but what emoji and scripts need; empty when nothing is left."""
    line = " ".join(_visible(text).split())
    return line[:MAX_NAME].strip() if any(character not in _JOINERS for character in line) else ""


def clean_topic(text: str) -> str:
    """A description without control characters, its lines kept."""
    return _visible(text, kept=_KEPT).strip()[:_SHOWN_TOPIC]


def _visible(text: str, kept: str = "") -> str:
    return "".join(
        character if character in kept or not _is_bad(character) else " "
        for character in text.replace("\r\n", "\n")
    )


def _is_bad(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in _BAD_CATEGORIES


def refusal(code: str, what: str) -> str:
    """Why WhatsApp did not do something, and what to do about it."""
    reasons = {
        "forbidden": "WhatsApp lets only admins of the group do this. Ask one of them.",
        "not-a-member": "Your WhatsApp account is not in this group any more.",
        "not-found": "WhatsApp does not know this group any more.",
        "invalid": "WhatsApp does not take it. Try something shorter or simpler.",
        "full": "The group is full.",
        "too-often": "WhatsApp asks to wait. Try again in some minutes.",
        "not-connected": "Your account is not connected to WhatsApp now. Try again when it is back.",
        "uncertain": "WhatsApp did not answer. Look at the group on your phone before you try again.",
    }
    return f"{what} was undone here: {reasons.get(code, 'WhatsApp refused it.')}"


_MEMBER_ERRORS = {
    403: "WhatsApp does not let you add them: their settings allow only their contacts. Send them the "
    "group's link, which `!wa invite-link` shows.",
    404: "they are not on WhatsApp.",
    408: "they left the group not long ago. Send them the group's link, which `!wa invite-link` shows.",
    409: "they are in the group already.",
    419: "the group is full.",
    401: "they have blocked you.",
}


def member_refusal(error: int, what: str) -> str:
    """Why WhatsApp did not change somebody's place in a group."""
    reason = _MEMBER_ERRORS.get(error, f"WhatsApp refused it (code {error}).")
    return f"{what} was undone here: {reason}"
