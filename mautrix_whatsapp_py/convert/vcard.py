"""Contact cards: what they say, as text; and cards out of files. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mautrix_whatsapp_py.convert.text import clean, clean_name
from mautrix_whatsapp_py.model.rich import WaContactCards, WaVcard

VCARD_TYPE: Final = "text/vcard"
MAX_VCARD_BYTES: Final = 256 * 1024
"""More than that is no file of contacts that WhatsApp takes in one message."""
_TYPES: Final = frozenset({"text/vcard", "text/x-vcard", "text/directory", "application/vcard"})
_MOST_CARDS: Final = 64
_SHOWN: Final = 10
_FOLDED: Final = re.compile(r"\r?\n[ \t]")
_CARD: Final = re.compile(r"^BEGIN:VCARD[ \t]*$.*?^END:VCARD[ \t]*$", re.IGNORECASE | re.DOTALL | re.MULTILINE)
"""On lines of their own: in a name these words begin and end nothing."""
_ESCAPED: Final = re.compile(r"\\([\\,;nN:])")
_LABELS: Final = {"TEL": "📞", "EMAIL": "✉️", "ORG": "🏢", "URL": "🔗", "ADR": "🏠"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One property of a card."""

    name: str
    value: str


def is_vcard(mime_type: str, file_name: str) -> bool:
    """Whether a file is of contacts."""
    bare = mime_type.partition(";")[0].strip().lower()
    return bare in _TYPES or (bare in {"", "application/octet-stream"} and file_name.lower().endswith(".vcf"))


def read_vcards(data: bytes) -> tuple[WaVcard, ...]:
    """The cards of a file; none when it holds none, or more than fit into one message."""
    text = clean(data.decode("utf-8", errors="replace").removeprefix("\ufeff"))
    found = tuple(WaVcard(name=name_card(card), text=card) for card in _CARD.findall(text)[: _MOST_CARDS + 1])
    return found if len(found) <= _MOST_CARDS else ()


def write_vcards(shared: WaContactCards) -> bytes:
    """The file with all cards."""
    return "\r\n".join(_written(card) for card in shared.cards).encode()


def _written(card: WaVcard) -> str:
    text = clean(card.text).strip()
    if _CARD.search(text):
        return text.replace("\n", "\r\n")
    # A name is all that is known of it, and makes a card of its own.
    name = clean_name(card.name).replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name}\r\nEND:VCARD"


def name_file(shared: WaContactCards) -> str:
    """What the file is called; a name is no path."""
    name = shared_name(shared).replace("/", "_").replace("\\", "_")
    return f"{name or 'contact'}.vcf"


def shared_name(shared: WaContactCards) -> str:
    """Whom the message is about."""
    if len(shared.cards) == 1:
        return shown_name(shared.cards[0])
    return clean_name(shared.title) or f"{len(shared.cards)} contacts"


def shown_name(card: WaVcard) -> str:
    """What a contact is called."""
    return clean_name(card.name) or name_card(card.text)


def name_card(text: str) -> str:
    """The name in a card."""
    lines = {line.name: line.value for line in reversed(list(_lines(text)))}
    plain = lines.get("FN") or " ".join(reversed(lines.get("N", "").split(";")[:2])) or lines.get("ORG", "")
    return clean_name(plain)


def tell_contacts(shared: WaContactCards) -> str:
    """The contacts for people whose client shows a file only."""
    shown = [_tell_card(card) for card in shared.cards[:_SHOWN]]
    if len(shared.cards) > _SHOWN:
        shown.append(f"and {len(shared.cards) - _SHOWN} more")
    title = clean_name(shared.title)
    head = f"👤 {title}" if len(shared.cards) != 1 and title else ""
    return "\n\n".join(filter(None, (head, *shown))) or "👤 A contact without a name"


def _tell_card(card: WaVcard) -> str:
    facts = [f"{_LABELS[line.name]} {value}" for line, value in _facts(card.text)]
    return "\n".join([f"👤 {shown_name(card) or 'A contact without a name'}", *facts[:_SHOWN]])


def _facts(text: str) -> Sequence[tuple[_Line, str]]:
    facts = ((line, _plain(line)) for line in _lines(text) if line.name in _LABELS)
    return [(line, value) for line, value in facts if value]


def _plain(line: _Line) -> str:
    value = line.value.removeprefix("tel:").removeprefix("mailto:")
    return clean_name(", ".join(filter(None, value.split(";"))) if line.name in {"ADR", "ORG"} else value)


def _lines(text: str) -> Iterator[_Line]:
    for raw in _FOLDED.sub("", clean(text)).split("\n"):
        head, colon, value = raw.partition(":")
        name = head.partition(";")[0].rpartition(".")[2].strip().upper()
        if colon and name:
            yield _Line(name=name, value=_ESCAPED.sub(_unescape, value).strip())


def _unescape(match: re.Match[str]) -> str:
    return " " if match[1] in "nN" else match[1]
