"""Cuts JSON into its outer parts without looking inside; for bodies no parser takes as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_MEMBER = re.compile(rb'\s*"([^"\\]*(?:\\.[^"\\]*)*)"\s*:(.*)', re.DOTALL)


def split_object(raw: bytes) -> dict[str, bytes]:
    """The raw values of an object by their raw keys, the last of a repeated one; ValueError when it is none."""
    members = (_MEMBER.fullmatch(part) for part in _split(raw, b"{"))
    return {member[1].decode(errors="replace"): member[2] for member in members if member is not None}


def split_array(raw: bytes) -> list[bytes]:
    """The raw elements of an array; ValueError when it is none."""
    return list(_split(raw, b"["))


def _split(raw: bytes, opening: bytes) -> Iterator[bytes]:
    raw = raw.strip()
    if not raw.startswith(opening):
        raise ValueError("another kind of value")
    depth, start = 0, 1
    for token in _TOKEN.finditer(raw):
        match token[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
            case b"," if depth == 1:
                yield raw[start : token.start()]
                start = token.end()
        if depth == 0:
            last = raw[start : token.start()]
            if last.strip():
                yield last
            return
    raise ValueError("the value does not end")
