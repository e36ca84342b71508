"""What the HTML of a Matrix message comes down to: a flat sequence of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mautrix_whatsapp_py.ids import MxUserId


class Mark(StrEnum):
    """Styles WhatsApp can show, by the character that shows them."""

    BOLD = "*"
    ITALIC = "_"
    STRIKE = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Text in one style; the outermost mark is first."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRun:
    """Text in which nothing is formatted."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PillRun:
    """A user, and what the link to them says."""

    user_id: MxUserId
    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock:
    """Lines of code."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A line ends here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """A new line is due here, and with 2 an empty one before it."""

    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """Lines from here on begin with these prefixes."""

    first: str
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The innermost prefix ends here."""


Inline: TypeAlias = Run | CodeRun | PillRun
Node: TypeAlias = Inline | CodeBlock | Break | Margin | Enter | Leave
