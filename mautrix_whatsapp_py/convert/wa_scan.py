"""Cuts a WhatsApp text into lines of tokens; every character is in exactly one token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

_FENCE: Final = "```"
# Ordered: what stands first wins. No alternative can look past the next blank, backtick or line
# end, so a text is read in linear time whatever it holds.
_TOKEN: Final = re.compile(
    r"(?P<code>`[^`\n]+`)|(?P<link>https?://\S+)|(?P<mention>@[0-9]+)|(?P<mark>[*_~])|(?P<end>\n)"
)
_MARKS: Final = "*_~`"


class Token(Enum):
    """What a piece of a line is."""

    TEXT = auto()
    MARK = auto()
    MENTION = auto()
    CODE = auto()
    FENCE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A token as it was written; inner is what stands between the backticks of code."""

    token: Token
    raw: str
    inner: str = ""


Line: TypeAlias = tuple[Piece, ...]


def scan(text: str) -> tuple[Line, ...]:
    """The lines of a text; code in a fence may hold line ends and is one piece."""
    lines: list[list[Piece]] = [[]]
    for part in _split_fences(text):
        if isinstance(part, Piece):
            lines[-1].append(part)
        else:
            _scan_part(part, lines)
    return tuple(tuple(line) for line in lines)


def _split_fences(text: str) -> Iterator[Piece | str]:
    done = 0
    start = text.find(_FENCE)
    while start >= 0:
        end = text.find(_FENCE, start + len(_FENCE) + 1)
        if end < 0:
            break
        inner = text[start + len(_FENCE) : end]
        if inner.strip():
            yield text[done:start]
            done = end + len(_FENCE)
            yield Piece(token=Token.FENCE, raw=text[start:done], inner=inner)
            start = text.find(_FENCE, done)
        else:
            start = end
    yield text[done:]


def _scan_part(part: str, lines: list[list[Piece]]) -> None:
    written = position = 0
    while match := _TOKEN.search(part, position):
        position = match.end()
        start, end = match.span()
        if match.lastgroup == "code" and not _stands_alone(part, start, end):
            position = start + 1
            continue
        if match.lastgroup == "link":
            # A mark that ends a link closes what was opened before it.
            position = start + len(match[0].rstrip(_MARKS))
            continue
        _add_text(lines[-1], part[written:start])
        written = position
        if match.lastgroup == "end":
            lines.append([])
        else:
            lines[-1].append(_piece(match))
    _add_text(lines[-1], part[written:])


def _piece(match: re.Match[str]) -> Piece:
    raw = match[0]
    match match.lastgroup:
        case "code":
            return Piece(token=Token.CODE, raw=raw, inner=raw[1:-1])
        case "mention":
            return Piece(token=Token.MENTION, raw=raw, inner=raw[1:])
        case _:
            return Piece(token=Token.MARK, raw=raw)


def _add_text(line: list[Piece], text: str) -> None:
    if text:
        line.append(Piece(token=Token.TEXT, raw=text))


def _stands_alone(part: str, start: int, end: int) -> bool:
    before = part[start - 1 : start]
    after = part[end : end + 1]
    return not before.isalnum() and not after.isalnum() and bool(part[start + 1 : end - 1].strip())
