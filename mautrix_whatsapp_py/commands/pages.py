"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mautrix_whatsapp_py.commands.results import Result, Said, Table
from mautrix_whatsapp_py.commands.spec import Call, UsageError

PAGE_ROWS = 20
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which part of a list somebody wants."""

    query: str = ""
    page: int = 1
    rows: int = PAGE_ROWS
    before: tuple[str, ...] = ()
    """What stands between the command and the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[Item]):
    """A list, and how one of its items is shown."""

    noun: str
    header: tuple[str, ...]
    items: Sequence[Item]
    to_row: Callable[[Item], Awaitable[tuple[str, ...]]]


def decode_page(args: Sequence[str], *, before: tuple[str, ...] = ()) -> PageRequest:
    """Words to look for, then the number of a page; UsageError when that is 0."""
    words = list(args)
    page = 1
    if words and words[-1].isdecimal() and len(words[-1]) < 6:
        page = int(words.pop())
    if page < 1:
        raise UsageError("Pages are counted from 1.")
    return PageRequest(query=" ".join(words).strip(), page=page, before=before)


async def page_of(call: Call, asked: PageRequest, listed: Listed[Item]) -> Result:
    """The wanted page of a list, and how to get the next one; only what is shown is looked up."""
    items, noun = listed.items, listed.noun
    if not items:
        about = f" that match `{asked.query}`" if asked.query else ""
        return Said(text=f"There are no {noun}{about}.")
    pages = -(-len(items) // asked.rows)
    if asked.page > pages:
        return Said(text=f"There {'is one page' if pages == 1 else f'are {pages} pages'} of {noun}.")
    first = (asked.page - 1) * asked.rows
    rows = tuple([await listed.to_row(item) for item in items[first : first + asked.rows]])
    footer = f"{noun.capitalize()} {first + 1} to {first + len(rows)} of {len(items)}."
    if asked.page < pages:
        words = (call.command.name, *asked.before, asked.query, str(asked.page + 1))
        footer += f" Send `{call.prefix}{' '.join(word for word in words if word)}` for more."
    return Table(header=listed.header, rows=rows, footer=footer)
