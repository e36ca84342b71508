"""One line of WhatsApp markup as HTML.

A mark opens after anything but a letter or digit and before anything but a blank or itself; it
closes after anything but a blank and before anything but a letter or digit. The first opener of a
kind counts until it is closed; closing one gives up those opened inside it; what is never closed
stays as typed. So at most three marks are open at a time and the result depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mautrix_whatsapp_py.convert.mentions import Named, encode_pill
from mautrix_whatsapp_py.convert.text import clean_name, escape
from mautrix_whatsapp_py.convert.wa_scan import Line, Piece, Token

_ELEMENT: Final = {"*": "strong", "_": "em", "~": "del"}


@dataclass(slots=True)
class _Open:
    """A mark that waits for its end, and what was written since."""

    mark: str
    written: list[str] = field(default_factory=list)


def render_line(line: Line, named: Named) -> str:
    """The line as HTML."""
    opened = [_Open(mark="")]
    for index, piece in enumerate(line):
        if piece.token is Token.MARK:
            before = line[index - 1].raw[-1] if index else ""
            after = line[index + 1].raw[0] if index + 1 < len(line) else ""
            _take_mark(opened, piece.raw, before, after)
        else:
            opened[-1].written.append(_render_piece(piece, named))
    while len(opened) > 1:
        _give_up(opened)
    return "".join(opened[0].written)


def render_fence(inner: str) -> str:
    """Code in a fence: a block when it has lines, else a span."""
    if "\n" not in inner:
        return f"<code>{escape(inner)}</code>"
    code = inner.removeprefix("\n").removesuffix("\n")
    return f"<pre><code>{escape(code).replace('<br>', chr(10))}</code></pre>"


def plain_line(line: Iterable[Piece], named: Named) -> str:
    """The line as typed, with names for the people mentioned."""
    return "".join(
        (clean_name(named[piece.inner].name) or piece.raw)
        if piece.token is Token.MENTION and piece.inner in named
        else piece.raw
        for piece in line
    )


def _render_piece(piece: Piece, named: Named) -> str:
    match piece.token:
        case Token.CODE:
            return f"<code>{escape(piece.inner)}</code>"
        case Token.FENCE:
            return render_fence(piece.inner)
        case Token.MENTION if piece.inner in named:
            return encode_pill(named[piece.inner])
        case _:
            return escape(piece.raw)


def _take_mark(opened: list[_Open], mark: str, before: str, after: str) -> None:
    is_open = any(item.mark == mark for item in opened)
    if is_open and not before.isspace() and not after.isalnum():
        _close(opened, mark)
    elif not is_open and not before.isalnum() and after not in ("", mark) and not after.isspace():
        opened.append(_Open(mark=mark))
    else:
        opened[-1].written.append(mark)


def _close(opened: list[_Open], mark: str) -> None:
    while opened[-1].mark != mark:
        _give_up(opened)
    inner = "".join(opened.pop().written)
    element = _ELEMENT[mark]
    opened[-1].written.append(f"<{element}>{inner}</{element}>")


def _give_up(opened: list[_Open]) -> None:
    literal = opened.pop()
    opened[-1].written.append(literal.mark + "".join(literal.written))
