"""What commands answer, before anybody thinks of how it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Sentences; what stands between backticks is to be typed."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of a list: what it is about, and what about it."""

    term: str
    text: str
    is_code: bool = False
    is_well: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines under a heading."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Groups of lines."""

    groups: tuple[Group, ...]
    footer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    if_empty: str = "There is nothing to show."
    footer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A question; the sender's next message in the same room answers it."""

    question: str
    hint: str = "Send `cancel` to stop."


Result: TypeAlias = Said | Listing | Table | Form
