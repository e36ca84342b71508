"""Messages as readers of the channel are given them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mautrix_whatsapp_py.model.content import WaKind

CONTEXT_HEAD = "[Chat messages since your last reply - for context]"
CONTEXT_TAIL = "[Current message - respond to this]"
_MARKS = re.compile(
    r"\[(?=\s*(?:/?\s*Replying\b|from:|Chat messages since your last reply|Current message - respond))",
    re.IGNORECASE,
)
_PLACEHOLDERS = {
    WaKind.IMAGE: "image",
    WaKind.VIDEO: "video",
    WaKind.GIF: "video",
    WaKind.AUDIO: "audio",
    WaKind.VOICE: "audio",
    WaKind.DOCUMENT: "document",
    WaKind.STICKER: "sticker",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who said something; the number is digits, empty when it is not known."""

    name: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The message a reply answers."""

    stanza_id: str
    sender: Speaker
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextLine:
    """A group message that woke nobody."""

    sender: Speaker
    text: str


def to_placeholder(kind: WaKind) -> str:
    """What stands for a file; empty for what is no file."""
    name = _PLACEHOLDERS.get(kind)
    return f"<media:{name}>" if name else ""


def to_body(*, kind: WaKind, text: str) -> str:
    """The body, or a file's placeholder with its caption."""
    return " ".join(part for part in (to_placeholder(kind), without_marks(text)) if part)


def without_marks(text: str) -> str:
    """A text in which nobody can write our own marks and so speak for others."""
    return _MARKS.sub("(", text)


def to_label(speaker: Speaker) -> str:
    """Name and number on one line; a name cannot break out of its brackets."""
    name = _one_line(speaker.name)
    number = f"+{speaker.number}" if speaker.number else ""
    if name and number:
        return f"{name} ({number})"
    return name or number or "somebody"


def to_quote(quoted: Quoted) -> str:
    """The block appended for a reply."""
    number = quoted.sender.number
    who = f"+{number}" if number else to_label(quoted.sender)
    return f"[Replying to {who} id:{_one_line(quoted.stanza_id)}]\n{without_marks(quoted.body)}\n[/Replying]"


def with_quote(text: str, quoted: Quoted | None) -> str:
    """A text and the message it answers."""
    return text if quoted is None else f"{text}\n\n{to_quote(quoted)}"


def with_context(text: str, *, sender: Speaker, earlier: Sequence[ContextLine]) -> str:
    """A group message after those that woke nobody; each line says who spoke."""
    current = f"{text}\n[from: {to_label(sender)}]"
    if not earlier:
        return current
    lines = [f"{line.text}\n[from: {to_label(line.sender)}]" for line in earlier]
    return "\n".join([CONTEXT_HEAD, *lines, "", CONTEXT_TAIL, current])


def with_prefix(text: str, prefix: str | None) -> str:
    """A text behind its prefix, once."""
    if not prefix or text.startswith(prefix):
        return text
    return f"{prefix} {text}"


def _one_line(text: str) -> str:
    shown = "".join(" " if letter in "[]\r\n\t" or not letter.isprintable() else letter for letter in text)
    return " ".join(shown.split())[:80]
