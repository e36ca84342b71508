"""Reads the HTML of Matrix messages; what it says is written down by `wa_writer`.

| HTML | becomes |
|---|---|
| `strong b`, `em i`, `del s strike` | bold, italic, struck |
| `code`, `pre` | code untouched, in a span or a block |
| `ul`, `ol start` | list items, nested ones indented |
| `blockquote` | `> ` before every line |
| `h1` to `h6` | a bold line: WhatsApp has no headings |
| `a` | `text (address)`; only the address when the text says the same; only the text when the address means nothing outside Matrix or is unsafe |
| link to a user | a mention |
| `img` | its alt text |
| table | a line a row, cells parted by ` | ` |
| spoiler | its text after its reason |
| `mx-reply`, `script`, `style` and the like | nothing |
| anything else | its text |

Nothing recurses and depth is bounded, so hostile nesting costs no more than its length.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final, TypeAlias

from mautrix_whatsapp_py.convert.mentions import decode_pill, is_permalink
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
from mautrix_whatsapp_py.ids import MxUserId

MAX_HTML: Final = 131_072
"""Twice what an event can hold; beyond it the plain text is used."""
_MAX_DEPTH: Final = 100
_MAX_PREFIXES: Final = 8
_MARK_OF: Final = {
    "strong": Mark.BOLD,
    "b": Mark.BOLD,
    "em": Mark.ITALIC,
    "i": Mark.ITALIC,
    "del": Mark.STRIKE,
    "s": Mark.STRIKE,
    "strike": Mark.STRIKE,
    "h1": Mark.BOLD,
    "h2": Mark.BOLD,
    "h3": Mark.BOLD,
    "h4": Mark.BOLD,
    "h5": Mark.BOLD,
    "h6": Mark.BOLD,
}
_APART: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS: Final = _APART | {
    *("div", "ul", "ol", "li", "blockquote", "pre", "table", "thead", "tbody", "tr", "caption"),
    *("hr", "details", "summary", "section", "article", "header", "footer", "dl", "dt", "dd"),
}
_SILENT: Final = frozenset({"mx-reply", "script", "style", "head", "title", "template"})
_VOID: Final = frozenset({"br", "hr", "img", "wbr", "input", "meta", "link", "col", "area", "base", "source"})
_CLOSED_BY: Final = {"li": "li", "p": "p", "td": "td", "th": "td", "tr": "tr"}
_SCOPE: Final = frozenset({"ul", "ol", "table", "blockquote"})
_NO_TAG: Final = re.compile(r"<(?!/?[a-zA-Z])")
_DECLARATION: Final = re.compile(r"<!--|<[!?]")
_SPACES: Final = re.compile(r"[ \t\n\r\f]+")
_SAFE_LINK: Final = re.compile(r"(?:https?|ftp|mailto|tel|geo|magnet):\S+", re.IGNORECASE)
_Attributes: TypeAlias = list[tuple[str, str | None]]


@dataclass(slots=True, kw_only=True)
class _Element:
    """An element that is open, and what it changed."""

    name: str
    mark: Mark | None = None
    has_prefix: bool = False
    href: str = ""
    starts_at: int = 0
    next_number: int | None = None
    cells: int = 0


def read_html(html: str) -> tuple[Node, ...]:
    """The nodes of a message."""
    walker = _Walker()
    walker.feed(_tame(html))
    walker.close()
    return walker.finish()


def pills(nodes: Iterable[Node]) -> frozenset[MxUserId]:
    """The users a message links to."""
    return frozenset(node.user_id for node in nodes if isinstance(node, PillRun))


def _tame(html: str) -> str:
    """Drop comments and declarations, and make text of what can no longer become a tag.

    The parser fails on some declarations and looks for a missing end again and again.
    """
    kept: list[str] = []
    done = 0
    ends = {"-->", ">"}
    for match in _DECLARATION.finditer(html):
        start = match.start()
        if start < done:
            continue
        closer = "-->" if match[0] == "<!--" else ">"
        end = html.find(closer, match.end()) if closer in ends else -1
        kept.append(html[done:start])
        if end < 0:
            ends.discard(closer)
            kept.append("&lt;")
        done = start + 1 if end < 0 else end + len(closer)
    kept.append(html[done:])
    return _finish_tags("".join(kept))


def _finish_tags(html: str) -> str:
    end = html.rfind(">") + 1
    return _NO_TAG.sub("&lt;", html[:end]) + html[end:].replace("<", "&lt;")


class _Walker(HTMLParser):
    """Turns tags into nodes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._nodes: list[Node] = []
        self._open: list[_Element] = []
        self._too_deep = 0
        self._silent = 0
        self._prefixes = 0
        self._marks: tuple[Mark, ...] = ()
        self._code: list[str] | None = None
        self._code_element = ""

    def finish(self) -> tuple[Node, ...]:
        """Close what is open and hand over."""
        while self._open:
            self._close_last()
        return tuple(self._nodes)

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        if tag in _VOID:
            self._take_void(tag, dict(attrs))
            return
        self._close_implied(tag)
        if len(self._open) >= _MAX_DEPTH:
            self._too_deep += 1
            return
        element = _Element(name=tag)
        self._open.append(element)
        if tag in _SILENT:
            self._silent += 1
        elif not self._silent:
            self._enter(element, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: _Attributes) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._too_deep and tag not in _VOID:
            self._too_deep -= 1
            return
        if any(element.name == tag for element in self._open):
            while self._open[-1].name != tag:
                self._close_last()
            self._close_last()

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._code is not None:
            self._code.append(data if self._code_element == "pre" else _SPACES.sub(" ", data))
        else:
            self._write(_SPACES.sub(" ", data))

    def _take_void(self, tag: str, attrs: dict[str, str | None]) -> None:
        if self._silent:
            return
        match tag:
            case "br" if self._code is not None:
                self._code.append("\n")
            case "br":
                self._nodes.append(Break())
            case "hr" if self._code is None:
                self._nodes += (Margin(lines=1), Run(text="---"), Margin(lines=1))
            case "img":
                self.handle_data(attrs.get("alt") or attrs.get("title") or "")
            case _:
                pass

    def _close_implied(self, tag: str) -> None:
        """Items, rows and paragraphs end where the next one of their list, table or text begins."""
        closes = _CLOSED_BY.get(tag)
        for depth in range(len(self._open) - 1, -1, -1):
            name = self._open[depth].name
            if closes is not None and _CLOSED_BY.get(name) == closes:
                while len(self._open) > depth:
                    self._close_last()
                return
            if name in _SCOPE or closes is None:
                return

    def _enter(self, element: _Element, attrs: dict[str, str | None]) -> None:
        if self._code is not None:
            return
        tag = element.name
        self._margin(tag)
        mark = _MARK_OF.get(tag)
        if mark is not None and mark not in self._marks:
            element.mark = mark
            self._marks = (*self._marks, mark)
        match tag:
            case "code" | "pre":
                self._code, self._code_element = [], tag
                element.starts_at = len(self._nodes)
            case "a":
                element.href = (attrs.get("href") or "").strip()
                element.starts_at = len(self._nodes)
            case "ol":
                element.next_number = _decode_start(attrs.get("start"))
            case "blockquote":
                self._enter_prefix(element, first="> ", rest="> ")
            case "li":
                self._enter_item(element)
            case "td" | "th":
                self._enter_cell()
            case "span":
                reason = _SPACES.sub(" ", attrs.get("data-mx-spoiler") or "").strip()
                self._write(f"({reason}) " if reason else "")
            case _:
                pass

    def _enter_item(self, item: _Element) -> None:
        for element in reversed(self._open):
            if element.name == "ol" and element.next_number is not None:
                bullet = f"{element.next_number}. "
                element.next_number += 1
                break
            if element.name == "ul":
                bullet = "* "
                break
        else:
            bullet = "* "
        self._enter_prefix(item, first=bullet, rest=" " * len(bullet))

    def _enter_cell(self) -> None:
        row = next((element for element in reversed(self._open) if element.name == "tr"), None)
        if row is not None:
            self._write(" | " if row.cells else "")
            row.cells += 1

    def _enter_prefix(self, element: _Element, *, first: str, rest: str) -> None:
        if self._prefixes < _MAX_PREFIXES:
            self._prefixes += 1
            element.has_prefix = True
            self._nodes.append(Enter(first=first, rest=rest))

    def _close_last(self) -> None:
        element = self._open.pop()
        if element.name in _SILENT:
            self._silent -= 1
            return
        if self._code is not None and element.name != self._code_element:
            return
        if self._code is not None:
            self._close_code()
        elif element.href:
            self._close_link(element)
        if element.mark is not None:
            self._marks = self._marks[:-1]
        if element.has_prefix:
            self._prefixes -= 1
            self._nodes += (Margin(lines=1), Leave())
        self._margin(element.name)

    def _close_code(self) -> None:
        text = "".join(self._code or ())
        self._code = None
        last = self._nodes[-1] if self._nodes else None
        if self._code_element == "pre":
            self._nodes.append(CodeBlock(text=text))
        elif isinstance(last, CodeRun) and last.marks == self._marks:
            self._nodes[-1] = CodeRun(text=last.text + text, marks=self._marks)
        else:
            self._nodes.append(CodeRun(text=text, marks=self._marks))

    def _close_link(self, element: _Element) -> None:
        href = element.href
        said = [node for node in self._nodes[element.starts_at :] if isinstance(node, Run | CodeRun | PillRun)]
        text = "".join(node.text for node in said).strip()
        user_id = decode_pill(href)
        if user_id is not None:
            self._replace(element, PillRun(user_id=user_id, text=text or user_id, marks=self._marks))
        elif _SAFE_LINK.fullmatch(href) is None or (is_permalink(href) and text):
            return
        elif not text or _says_same(text, href):
            self._replace(element, Run(text=text if _is_address(href) and text else href, marks=self._marks))
        else:
            self._write(f" ({href})")

    def _replace(self, element: _Element, node: Inline) -> None:
        del self._nodes[element.starts_at :]
        self._nodes.append(node)

    def _margin(self, tag: str) -> None:
        if tag in _BLOCKS:
            is_apart = tag in _APART and not any(element.name == "li" for element in self._open)
            self._nodes.append(Margin(lines=2 if is_apart else 1))

    def _write(self, text: str) -> None:
        if text:
            self._nodes.append(Run(text=text, marks=self._marks))


def _decode_start(start: str | None) -> int:
    if start is not None and start.isascii() and start.isdigit() and len(start) <= 6:
        return int(start)
    return 1


def _is_address(href: str) -> bool:
    return href.lower().startswith(("mailto:", "tel:"))


def _says_same(text: str, href: str) -> bool:
    if _is_address(href):
        return text == href.partition(":")[2]
    bare = href.partition("://")[2] or href
    return text.rstrip("/") in (href.rstrip("/"), bare.rstrip("/"))
