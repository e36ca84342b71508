"""Text that is safe to send: cleaned, measured, cut, escaped."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_ENDS = re.compile(r"\r\n?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPACES = re.compile(r"\s+")
_JOINER = "\u200d"
_MAX_NAME = 100
_MAX_BACK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Formatted:
    """A text in plain and, where it says more, as HTML."""

    body: str
    html: str | None = None

    @property
    def markup(self) -> str:
        """The text as HTML in any case."""
        return escape(self.body) if self.html is None else self.html


def formatted(body: str, markup: str) -> Formatted:
    """Keep the HTML only where it differs from the plain text."""
    return Formatted(body=body, html=None if markup == escape(body) else markup)


def escape(text: str) -> str:
    """Plain text as HTML."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def clean(text: str) -> str:
    """The text as it can be encoded and stored: no half characters, no control characters."""
    if not text.isascii():
        # Pairs of surrogates are one character written as two; a lone one is none.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))


def clean_name(name: str) -> str:
    """A name on one line that cannot turn the text around it."""
    return clean_line(name, _MAX_NAME)


def clean_line(text: str, limit: int) -> str:
    """A text on one line that cannot turn the text around it, cut to a length."""
    return _SPACES.sub(" ", _BIDI.sub("", clean(text))).strip()[:limit]


def json_size(text: str) -> int:
    """Bytes of the text inside a JSON document."""
    return len(text.encode()) + text.count('"') + text.count("\\") + text.count("\n") + text.count("\t")


def split_by_size(text: str, size_bytes: int) -> Iterator[str]:
    """Cut into pieces of at most this size, after a line, else after a word, else anywhere."""
    while text:
        cut = _fit(text, size_bytes)
        if cut < len(text):
            cut = _kind_cut(text, cut)
        yield text[:cut]
        text = text[cut:]


def _fit(text: str, size_bytes: int) -> int:
    """How many characters fit; at least one."""
    # A character takes at least one byte, so no more than that many need be measured.
    lengths = range(min(len(text), size_bytes) + 1)
    return max(bisect_right(lengths, size_bytes, key=lambda length: json_size(text[:length])) - 1, 1)


def _kind_cut(text: str, cut: int) -> int:
    for separator in ("\n", " "):
        found = text.rfind(separator, cut // 2, cut)
        if found >= 0:
            return found + 1
    kind = next((at for at in range(cut, max(cut - _MAX_BACK, 0), -1) if not _clings(text[at - 1], text[at])), cut)
    return max(kind, 1)


def _clings(before: str, after: str) -> bool:
    """Whether two characters belong to one word, mention or emoji."""
    if before.isalnum() and after.isalnum():
        return True
    return _JOINER in (before, after) or unicodedata.category(after).startswith(("M", "Sk")) or before == "@"
