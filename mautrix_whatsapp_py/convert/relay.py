"""Messages of people who have no account in a chat, told by an account that is in it. Pure.

WhatsApp knows no way to escape its markup, so a name is cleaned of everything that could style the text around
it, mention somebody, begin a list or a quote, or look like the name of somebody else; what they say keeps its
markup, but no line of it begins like the prefix of a message.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mautrix_whatsapp_py.convert.mentions import WaMarkup
from mautrix_whatsapp_py.convert.mx_html import read_html
from mautrix_whatsapp_py.convert.mx_nodes import CodeRun, PillRun, Run
from mautrix_whatsapp_py.convert.text import clean_line, escape
from mautrix_whatsapp_py.convert.wa_writer import write_markup
from mautrix_whatsapp_py.ids import MxUserId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import MxMsgType
from mautrix_whatsapp_py.model.wa_context import WaKind, WaPreview, WaQuote

_MESSAGE: Final = "\ue000"
"""Where the message goes; no name can hold it."""
_MAX_NAME: Final = 60
_MAX_ID: Final = 255
_MAX_KEY: Final = 40
_EMOTE: Final = "*\u00a0"
_STYLES: Final = re.compile(r"[*~`]|(?<![^\W_])_|_(?![^\W_])")
_COLONS: Final = re.compile("[:\uff1a\u2236\ua789\ufe55\ufe13]")
_OPENING: Final = re.compile(r"(?:[>\-•#*+.]+\s*|\d+[.)]\s+)+")
_MENTION: Final = re.compile("[@\uff20\ufe6b]")
_BLOCK: Final = re.compile(r"(?:[*\-] |> |\d+\. |```)")
_LINE_ENDS: Final = re.compile("([\n\x85\u2028\u2029])")
_PREFIX: Final = re.compile(r"(?P<before>(?:\*\s)?[^\w*\n]*)\*(?P<name>[^*\n]*)\*")
_JOINERS: Final = "\u200c\u200d"
_NO_BREAK: Final = "\u2060"


class Template(Protocol):
    """A text with gaps."""

    def fill(self, values: Mapping[str, str]) -> str:
        """The text that these values make; they go in as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayFormats:
    """How messages, by their kind, and names look; for kinds that are not there `m.text` counts."""

    messages: Mapping[str, Template]
    name: Template
    distinguishers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaying:
    """Whose message it is, and what is known of their name."""

    user: MxUserId
    name: str = ""
    is_ambiguous: bool = False
    """Whether somebody else in the room could be meant by the name."""
    carrier: WaJid
    """Whom WhatsApp shows as its writer."""
    note_id: WaMessageId
    """The id of a message there never was, for messages that say who sent them in a quote."""
    formats: RelayFormats


def relay_text(
    relaying: Relaying, msgtype: MxMsgType, said: WaMarkup, *, is_caption: bool = False, file_name: str = ""
) -> WaMarkup:
    """What somebody says, with who says it before it."""
    filled = _fill(relaying, msgtype, has_words=bool(said.text), is_caption=is_caption, file_name=file_name)
    text = write_markup(read_html(filled), {}).text
    if text.startswith("* "):
        # After a plain blank WhatsApp would show a list item instead of the star.
        text = _EMOTE + text[2:]
    words = _disarm(f"\n{said.text}" if _BLOCK.match(said.text) else said.text)
    joined = re.sub(f" ?{_MESSAGE}", _MESSAGE, text) if words.startswith("\n") else text
    return WaMarkup(text=words.join(joined.split(_MESSAGE)).rstrip(), mentions=said.mentions)


def relay_plain(relaying: Relaying, msgtype: MxMsgType, words: str) -> str:
    """The same where WhatsApp shows no markup."""
    nodes = read_html(_fill(relaying, msgtype, has_words=bool(words), is_caption=True))
    text = "".join(node.text for node in nodes if isinstance(node, Run | CodeRun | PillRun))
    return words.join(text.split(_MESSAGE)).strip()


def relay_question(relaying: Relaying, question: str) -> str:
    """Somebody's question of a poll."""
    return f"{name_of(relaying)}: {question}"


def tell_relayed_reaction(relaying: Relaying, key: str) -> str:
    """Somebody reacted: an account has one reaction to a message, which is its owner's."""
    shown = _STYLES.sub("", _MENTION.sub("", clean_line(key, _MAX_KEY))).strip()
    return f"*{name_of(relaying)}* reacted with {shown}"


def tell_relayed_vote(relaying: Relaying, options: Collection[str]) -> str:
    """Somebody voted: an account has one vote, which is its owner's."""
    if not options:
        return f"*{name_of(relaying)}* took the vote back"
    return f"*{name_of(relaying)}* voted: {', '.join(_disarm(option) for option in options)}"


def note_sender(relaying: Relaying, kind: WaKind) -> WaQuote:
    """Who sent a file that can have no caption: in a quote, which phones show above it."""
    what = {
        WaKind.VOICE: "sent a voice message",
        WaKind.STICKER: "sent a sticker",
        WaKind.CONTACT: "sent contacts",
    }
    said = f"{name_of(relaying)} {what.get(kind, 'sent an audio file')}"
    preview = WaPreview(kind=WaKind.TEXT, text=said)
    return WaQuote(message_id=relaying.note_id, sender=relaying.carrier, preview=preview)


def name_of(relaying: Relaying) -> str:
    """What somebody is called on WhatsApp, in plain text."""
    values = _facts(relaying)
    name = clean_line(relaying.formats.name.fill(values), _MAX_NAME + _MAX_ID)
    return name or values["DisambiguatedName"]


def safe_name(name: str, distinguishers: Collection[str] = ()) -> str:
    """A name that can do nothing to the text around it; empty when nothing is left."""
    kept = "".join(
        one for one in name if one in _JOINERS or unicodedata.category(one) not in ("Cf", "Co", "Cs", "Cn")
    )
    kept = clean_line(kept, _MAX_NAME)
    for mark in distinguishers:
        kept = kept.replace(mark, "").replace(mark.removesuffix("\ufe0f"), "")
    kept = _COLONS.sub(" ", _STYLES.sub("", kept))
    kept = _OPENING.sub("", kept.strip(), count=1) if _OPENING.match(kept.strip()) else kept
    return " ".join(_MENTION.sub("", kept).strip(_JOINERS + " ").split())


def likeness(name: str) -> str:
    """What two names have in common that people would take for one another."""
    folded = unicodedata.normalize("NFKC", safe_name(name)).casefold()
    return "".join(one for one in folded if one.isalnum())


def distinguisher_of(user: MxUserId, distinguishers: tuple[str, ...]) -> str:
    """The mark of a user, always the same."""
    return distinguishers[zlib.crc32(user.encode()) % len(distinguishers)] if distinguishers else ""


def _fill(
    relaying: Relaying, msgtype: MxMsgType, *, has_words: bool, is_caption: bool, file_name: str = ""
) -> str:
    """The template with everything in it but the message."""
    formats = relaying.formats.messages
    template = formats.get(msgtype.value) or formats["m.text"]
    values = {f"Sender.{name}": escape(value) for name, value in _facts(relaying).items()}
    values["Sender.FormattedName"] = escape(name_of(relaying))
    values["Message"] = _MESSAGE if has_words else ""
    values["Caption"] = _MESSAGE if has_words and is_caption else ""
    values["FileName"] = escape(safe_name(file_name))
    return template.fill(values)


def _facts(relaying: Relaying) -> dict[str, str]:
    marks = relaying.formats.distinguishers
    user_id = _safe_id(relaying.user)
    name = safe_name(relaying.name, marks)
    is_ambiguous = bool(name) and relaying.is_ambiguous
    return {
        "UserID": user_id,
        "Displayname": name,
        "DisambiguatedName": f"{name} ({user_id})" if is_ambiguous else name or user_id,
        "RequiresDisambiguation": "true" if is_ambiguous else "",
        "Distinguisher": distinguisher_of(relaying.user, marks),
    }


def _safe_id(user: MxUserId) -> str:
    """A user id that mentions nobody: its digits may be those of somebody on WhatsApp."""
    return _STYLES.sub("", clean_line(user, _MAX_ID)).replace("@", f"@{_NO_BREAK}")


def _disarm(text: str) -> str:
    """Take the bold from the beginning of every line but the first: there it would look like another's message."""
    first, *rest = _LINE_ENDS.split(text)
    return first + "".join(_disarm_line(line) for line in rest)


def _disarm_line(line: str) -> str:
    found = _PREFIX.match(line)
    return line if found is None else found["before"] + found["name"] + line[found.end() :]
