"""Cuts long texts into messages."""

from __future__ import annotations

import regex

from mautrix_whatsapp_py.config.channel import ChunkMode

_GRAPHEME = regex.compile(r"\X")
_FENCE = regex.compile(r"^[ ]{0,3}```(?P<info>[^`\n]*)$", regex.MULTILINE)
_BLANK_LINE = regex.compile(r"\n[ \t]*\n")
FENCE = "```"
MIN_LIMIT = 40
"""Below this a reopened code block could leave no room for its text."""
MAX_INFO = 16


def cut_text(text: str, *, limit: int, mode: ChunkMode) -> tuple[str, ...]:
    """Parts of at most `limit` characters; no grapheme is split, a code block that is gets closed and reopened.

    A single grapheme longer than the limit stays whole. White space at a cut is dropped; nothing else is.
    """
    limit = max(limit, MIN_LIMIT)
    parts: list[str] = []
    opened, rest = "", text
    while len(opened) + len(rest) > limit:
        head, rest, opened = _take(opened + rest, limit=limit, mode=mode)
        if head.strip():
            parts.append(head)
    if (opened + rest).strip() and rest.strip():
        parts.append(opened + rest)
    return tuple(parts)


def _take(text: str, *, limit: int, mode: ChunkMode) -> tuple[str, str, str]:
    """The first part, what is left, and how the code block it lies in is opened again."""
    cut = _find_cut(text, limit, mode)
    fence = _open_fence(text[:cut])
    if fence is None:
        return text[:cut].rstrip(), _without_gap(text[cut:]), ""
    room = limit - len(FENCE) - 1
    cut = _find_cut(text, room, mode)
    fence = _open_fence(text[:cut])
    if fence is None:
        return text[:cut].rstrip(), _without_gap(text[cut:]), ""
    if cut <= fence[0] + len(fence[1]) and text[: fence[0]].strip():
        # Nothing of the block would fit: it begins in the next part.
        return text[: fence[0]].rstrip(), text[fence[0] :], ""
    return f"{text[:cut].rstrip()}\n{FENCE}", text[cut:].removeprefix("\n"), fence[1]


def _without_gap(rest: str) -> str:
    """What follows a cut: the spaces or the line breaks it was made at are gone, indentation stays."""
    return rest.lstrip(" ") if rest.startswith(" ") else rest.lstrip("\n")


def _open_fence(text: str) -> tuple[int, str] | None:
    """Where an unclosed code block of the text begins, and its opening line."""
    found = list(_FENCE.finditer(text))
    if len(found) % 2 == 0:
        return None
    last = found[-1]
    return last.start(), f"{FENCE}{last['info'].strip()[:MAX_INFO]}\n"


def _find_cut(text: str, limit: int, mode: ChunkMode) -> int:
    """Where to cut: at most at the limit, at a white space when there is one, never inside a grapheme."""
    window = text[: limit + 1]
    floor = _body_start(text)
    if mode is ChunkMode.NEWLINE:
        blank = [match.start() for match in _BLANK_LINE.finditer(window) if match.start() > floor]
        if blank:
            return blank[-1]
        if (newline := window.rfind("\n")) > floor:
            return newline
    for mark in ("\n", " "):
        if (place := window.rfind(mark)) > max(floor, limit // 2):
            return place
    return _grapheme_cut(text, limit)


def _body_start(text: str) -> int:
    """Cutting at or before the end of an opening line would take nothing of its block."""
    match = _FENCE.match(text)
    return match.end() if match is not None else 0


def _grapheme_cut(text: str, limit: int) -> int:
    """The last border of graphemes within the limit, or the end of the first one."""
    end = 0
    for match in _GRAPHEME.finditer(text):
        if match.end() > limit and end:
            break
        end = match.end()
    return end
