"""Writes nodes as WhatsApp markup.

Marks work at word borders and within a line only: a style over several lines is marked on each, a
blank at its edge is moved out, and a mark that WhatsApp would show as a stray character is left
out. Characters that mean something to WhatsApp stay as typed: people write `*so*` on purpose,
and WhatsApp knows no way to escape them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from mautrix_whatsapp_py.convert.mentions import Addressed, WaMarkup
from mautrix_whatsapp_py.convert.mx_nodes import (
    Break,
    CodeBlock,
    CodeRun,
    Enter,
    Inline,
    Leave,
    Margin,
    Mark,
    Node,
    PillRun,
    Run,
)
from mautrix_whatsapp_py.ids import WaJid

_FENCE: Final = "```"
_SPACES: Final = re.compile(r" +")


def write_markup(nodes: Iterable[Node], addressed: Addressed) -> WaMarkup:
    """The message as WhatsApp text; pills of unknown users keep what they say."""
    writer = _Writer(addressed)
    for node in nodes:
        writer.take(node)
    return writer.finish()


@dataclass(slots=True, kw_only=True)
class _Prefix:
    """A prefix of lines and whether its first form is used up."""

    first: str
    rest: str
    is_used: bool = False

    def take(self) -> str:
        text = self.rest if self.is_used else self.first
        self.is_used = True
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """Part of a line as it will be written, in one style."""

    text: str
    marks: tuple[Mark, ...]
    is_code: bool = False


class _Writer:
    """Collects lines."""

    def __init__(self, addressed: Addressed) -> None:
        self._addressed = addressed
        self._mentions: set[WaJid] = set()
        self._lines: list[str] = []
        self._line: list[_Segment] = []
        self._prefixes: list[_Prefix] = []
        self._margin = 0
        self._last_prefixes: tuple[_Prefix, ...] = ()

    def take(self, node: Node) -> None:
        """Write one node."""
        match node:
            case Run() | CodeRun() | PillRun():
                self._take_inline(node)
            case Break():
                self._take_break()
            case Margin(lines=lines):
                self._end_line()
                self._margin = max(self._margin, lines)
            case Enter(first=first, rest=rest):
                self._prefixes.append(_Prefix(first=first, rest=rest))
            case Leave():
                self._prefixes.pop()
            case CodeBlock(text=text):
                self._take_block(text.removesuffix("\n").removeprefix("\n"))

    def finish(self) -> WaMarkup:
        """End the last line and hand over."""
        self._end_line()
        text = "\n".join(self._lines).strip("\n").rstrip()
        return WaMarkup(text=text, mentions=frozenset(self._mentions))

    def _take_inline(self, node: Inline) -> None:
        match node:
            case Run(text=text):
                self._line.append(_Segment(text=text, marks=node.marks))
            case PillRun(user_id=user_id, text=text):
                jid = self._addressed.get(user_id)
                if jid is not None:
                    self._mentions.add(jid.bare)
                    text = f"@{jid.user}"
                self._line.append(_Segment(text=text, marks=node.marks))
            case CodeRun(text=text):
                self._take_code(text, node.marks)

    def _take_code(self, text: str, marks: tuple[Mark, ...]) -> None:
        if "\n" in text and not self._prefixes and _FENCE not in text:
            self._line.append(_Segment(text=f"{_FENCE}{text}{_FENCE}", marks=()))
            return
        for index, line in enumerate(text.split("\n")):
            if index:
                self._take_break()
            self._line.append(_Segment(text=line, marks=marks, is_code=bool(line.strip())))

    def _take_break(self) -> None:
        if any(segment.text.strip(" ") for segment in self._line):
            self._end_line()
        else:
            self._line.clear()
            self._start_line()
            self._lines.append(_blank(prefix.take() for prefix in self._prefixes))

    def _take_block(self, code: str) -> None:
        if _FENCE in code or ("\n" not in code and not code.strip()):
            self._take_plain_block(code)
        elif any(prefix.rest for prefix in self._prefixes):
            self._take_code(code, ())
        else:
            self._start_line()
            self._lines += (_FENCE, *code.split("\n"), _FENCE)

    def _take_plain_block(self, code: str) -> None:
        for line in code.split("\n"):
            self._line.append(_Segment(text=line, marks=()))
            self._take_break()

    def _start_line(self) -> None:
        """Write the margin that is due."""
        if self._lines and self._margin > 1:
            pairs = zip(self._last_prefixes, self._prefixes, strict=False)
            shared = takewhile(lambda pair: pair[0] is pair[1], pairs)
            self._lines.append(_blank(prefix.rest for prefix, _ in shared))
        self._margin = 0
        self._last_prefixes = tuple(self._prefixes)

    def _end_line(self) -> None:
        if any(segment.text.strip(" ") for segment in self._line):
            self._start_line()
            prefix = "".join(item.take() for item in self._prefixes)
            self._lines.append(prefix + _write_line(self._line))
        self._line.clear()


def _blank(prefixes: Iterable[str]) -> str:
    """An empty line; one that belongs to a quote shows it."""
    prefix = "".join(prefixes)
    return prefix if prefix.strip() else ""


def _write_line(line: Sequence[_Segment]) -> str:
    segments = _quote_code(_settle_blanks(_split_blanks(line)))
    before, after = _place_marks(segments)
    return "".join(before[index] + segment.text + after[index] for index, segment in enumerate(segments))


def _split_blanks(line: Iterable[_Segment]) -> Iterator[_Segment]:
    """Part the blanks at the edges of a style from what it styles."""
    for segment in line:
        text = segment.text
        core = text.strip()
        if segment.is_code or not core:
            if text:
                yield segment
            continue
        start = len(text) - len(text.lstrip())
        if start:
            yield _Segment(text=text[:start], marks=segment.marks)
        yield _Segment(text=core, marks=segment.marks)
        if start + len(core) < len(text):
            yield _Segment(text=text[start + len(core) :], marks=segment.marks)


def _settle_blanks(segments: Iterable[_Segment]) -> tuple[_Segment, ...]:
    """One blank between words, in the styles it shares with both; none at the ends of the line."""
    settled: list[_Segment] = []
    blank: _Segment | None = None
    for segment in segments:
        if not segment.is_code and not segment.text.strip():
            marks = segment.marks if blank is None else _shared(blank.marks, segment.marks)
            blank = _Segment(text=segment.text if blank is None else blank.text + segment.text, marks=marks)
            continue
        if blank is not None and settled:
            marks = _shared(_shared(settled[-1].marks, segment.marks), blank.marks)
            settled.append(_Segment(text=_SPACES.sub(" ", blank.text), marks=marks))
        settled.append(segment)
        blank = None
    return tuple(settled)


def _quote_code(segments: Sequence[_Segment]) -> tuple[_Segment, ...]:
    """Put code between backticks, in the form that works where it stands."""
    return tuple(
        _Segment(text=_encode_code(segment.text, *_neighbours(segments, index, index)), marks=segment.marks)
        if segment.is_code
        else segment
        for index, segment in enumerate(segments)
    )


def _encode_code(text: str, before: str, after: str) -> str:
    if "`" in (before, after):
        return text
    if "`" not in text and not before.isalnum() and not after.isalnum():
        return f"`{text}`"
    if _FENCE not in text and not text.startswith("`") and not text.endswith("`"):
        return f"{_FENCE}{text}{_FENCE}"
    return text


def _place_marks(segments: Sequence[_Segment]) -> tuple[list[str], list[str]]:
    """What to write before and after each segment."""
    before = [""] * len(segments)
    after = [""] * len(segments)
    opened: list[tuple[Mark, int]] = []
    for index in range(len(segments) + 1):
        marks = segments[index].marks if index < len(segments) else ()
        shared = len(_shared(tuple(mark for mark, _ in opened), marks))
        while len(opened) > shared:
            mark, start = opened.pop()
            if not any(character.isalnum() for character in _neighbours(segments, start, index - 1)):
                before[start] = mark + before[start]
                after[index - 1] += mark
        opened += ((mark, index) for mark in marks[shared:])
    return before, after


def _neighbours(segments: Sequence[_Segment], first: int, last: int) -> tuple[str, str]:
    """The characters before and after some segments, empty at the ends of the line."""
    before = segments[first - 1] if first else None
    after = segments[last + 1] if last + 1 < len(segments) else None
    return (
        "" if before is None else "`" if before.is_code else before.text[-1:],
        "" if after is None else "`" if after.is_code else after.text[:1],
    )


def _shared(one: tuple[Mark, ...], other: tuple[Mark, ...]) -> tuple[Mark, ...]:
    pairs = zip(one, other, strict=False)
    return tuple(mark for mark, _ in takewhile(lambda pair: pair[0] is pair[1], pairs))
