"""WhatsApp markup to HTML: blocks here, lines in `wa_inline`, tokens in `wa_scan`.

Beyond WhatsApp's own rules, a list item that is indented under another becomes a nested list and a
quote in a quote a nested quote, so that what Matrix nests comes back as it went.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mautrix_whatsapp_py.convert.mentions import Named
from mautrix_whatsapp_py.convert.text import Formatted, clean, formatted
from mautrix_whatsapp_py.convert.wa_inline import plain_line, render_fence, render_line
from mautrix_whatsapp_py.convert.wa_scan import Line, Piece, Token, scan

_ITEM: Final = re.compile(r"(?P<indent> *)(?:[*-]|(?P<number>[0-9]{1,2})\.) (?=\S)")
_ANY_MARKUP: Final = re.compile(r"[*_~`@]|^[>\-0-9]", re.MULTILINE)
_PREFIX_LENGTH: Final = 64
_QUOTE: Final = "> "
_BLOCK_STARTS: Final = frozenset(" *->0123456789")
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """An item of a list; the number is None under a bullet."""

    indent: int
    number: int | None
    line: Line

    @property
    def element(self) -> str:
        return "ul" if self.number is None else "ol"


@dataclass(frozen=True, slots=True)
class _Paragraph:
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Quote:
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class _Fence:
    inner: str


_Block: TypeAlias = _Paragraph | _Quote | _List | _Fence


def may_have_markup(text: str) -> bool:
    """Whether any character of the text could mean more than itself."""
    return _ANY_MARKUP.search(text) is not None


def render_markup(text: str, named: Named) -> Formatted:
    """A WhatsApp text as Matrix shows it."""
    lines = scan(clean(text))
    body = "\n".join(plain_line(line, named) for line in lines)
    return formatted(body, _render_blocks(lines, named, depth=0))


def _render_blocks(lines: Sequence[Line], named: Named, *, depth: int) -> str:
    blocks = tuple(_split_blocks(_isolate_fences(lines), nests=depth < _MAX_DEPTH))
    written: list[str] = []
    for index, block in enumerate(blocks):
        match block:
            case _Paragraph(paragraph):
                written.append(_render_paragraph(paragraph, named, is_last=index + 1 == len(blocks)))
            case _Quote(inner):
                written.append(f"<blockquote>{_render_blocks(inner, named, depth=depth + 1)}</blockquote>")
            case _List(items):
                written.append(_render_list(items, named))
            case _Fence(inner=code):
                written.append(render_fence(code))
    return "".join(written)


def _isolate_fences(lines: Sequence[Line]) -> Iterator[Line]:
    """Code of several lines is a block: it takes a line of its own."""
    for line in lines:
        start = 0
        for index, piece in enumerate(line):
            if _is_block(piece):
                if _has_text(line[start:index]):
                    yield line[start:index]
                yield (piece,)
                start = index + 1
        if not start or _has_text(line[start:]):
            yield line[start:]


def _split_blocks(lines: Iterator[Line], *, nests: bool) -> Iterator[_Block]:
    kind: type[_Block] = _Paragraph
    run: list[Line] = []
    items: list[_Item] = []
    for line in lines:
        prefix = _prefix(line)
        item = _decode_item(line, prefix, after=items)
        new_kind = _classify(line, prefix, item, in_quote=kind is _Quote, nests=nests)
        if new_kind is not kind or kind is _Fence:
            yield from _block(kind, run, items)
            kind, run, items = new_kind, [], []
        run.append(_drop(line, len(_QUOTE)) if kind is _Quote else line)
        if item is not None and kind is _List:
            items.append(item)
    yield from _block(kind, run, items)


def _classify(line: Line, prefix: str, item: _Item | None, *, in_quote: bool, nests: bool) -> type[_Block]:
    if len(line) == 1 and _is_block(line[0]):
        return _Fence
    if nests and prefix.startswith(_QUOTE) and (in_quote or prefix[2:].strip() or len(line) > 1):
        return _Quote
    return _Paragraph if item is None else _List


def _block(kind: type[_Block], run: list[Line], items: list[_Item]) -> Iterator[_Block]:
    if not run:
        return
    if kind is _Quote:
        yield _Quote(tuple(run))
    elif kind is _List:
        yield _List(tuple(items))
    elif kind is _Fence:
        yield _Fence(run[0][0].inner)
    else:
        yield _Paragraph(tuple(run))


def _decode_item(line: Line, prefix: str, *, after: Sequence[_Item]) -> _Item | None:
    """The line as an item; an indented one only under another item."""
    match = _ITEM.match(prefix)
    if match is None or (match["indent"] and not after):
        return None
    number = None if match["number"] is None else int(match["number"])
    return _Item(indent=len(match["indent"]), number=number, line=_drop(line, match.end()))


def _render_paragraph(lines: Sequence[Line], named: Named, *, is_last: bool) -> str:
    rendered = "<br>".join(render_line(line, named) for line in lines)
    # A break right before a block ends a line and shows none; an empty line there takes a second one.
    return rendered if is_last or lines[-1] else rendered + "<br>"


def _render_list(items: Sequence[_Item], named: Named) -> str:
    written: list[str] = []
    levels: list[_Item] = []
    for item in items:
        while levels and (item.indent < levels[-1].indent and len(levels) > 1):
            written.append(f"</li></{levels.pop().element}>")
        written.append(_step(levels, item))
        written.append(f"<li>{render_line(item.line, named)}")
    while levels:
        written.append(f"</li></{levels.pop().element}>")
    return "".join(written)


def _step(levels: list[_Item], item: _Item) -> str:
    """What leads from the item before to this one; the levels end with this one."""
    if not levels or (item.indent > levels[-1].indent and len(levels) < _MAX_DEPTH):
        levels.append(item)
        return _list_start(item)
    last = levels.pop()
    levels.append(item)
    follows = item.number is None or (last.number is not None and item.number == last.number + 1)
    if item.element == last.element and follows:
        return "</li>"
    return f"</li></{last.element}>{_list_start(item)}"


def _list_start(item: _Item) -> str:
    return f"<{item.element}>" if item.number in (None, 1) else f'<ol start="{item.number}">'


def _is_block(piece: Piece) -> bool:
    return piece.token is Token.FENCE and "\n" in piece.inner


def _has_text(line: Sequence[Piece]) -> bool:
    return any(piece.raw.strip() for piece in line)


def _prefix(line: Line) -> str:
    """How the line begins, as typed; enough of it to tell what it is, and nothing of plain text."""
    if not line or line[0].raw[0] not in _BLOCK_STARTS:
        return ""
    taken: list[str] = []
    length = 0
    for piece in line:
        taken.append(piece.raw[: _PREFIX_LENGTH - length])
        length += len(taken[-1])
        if length >= _PREFIX_LENGTH:
            break
    return "".join(taken)


def _drop(line: Line, count: int) -> Line:
    """The line without its first characters."""
    for index, piece in enumerate(line):
        if count < len(piece.raw):
            rest = Piece(token=Token.TEXT, raw=piece.raw[count:]) if count else piece
            return (rest, *line[index + 1 :])
        count -= len(piece.raw)
    return ()
