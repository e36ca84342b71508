"""Results of commands as Matrix notices: text for everybody, HTML where it helps."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import assert_never

from mautrix_whatsapp_py.commands.results import Form, Group, Item, Listing, Result, Said, Table
from mautrix_whatsapp_py.convert.bot_text import to_html, to_notice
from mautrix_whatsapp_py.model.mx import MxNotice

MAX_NOTICE_CHARACTERS = 10_000
"""Far below what an event may hold, text and HTML and escapes taken together."""


def render(results: Result | tuple[Result, ...]) -> tuple[MxNotice, ...]:
    """The notices that say it."""
    several = results if isinstance(results, tuple) else (results,)
    return tuple(notice for result in several for notice in _render_one(result))


def _render_one(result: Result) -> Iterable[MxNotice]:
    match result:
        case Said():
            return [to_notice(part) for part in _split_text(result.text)]
        case Form():
            return [to_notice(f"{result.question}\n{result.hint}".rstrip())]
        case Listing():
            return [_render_listing(result)]
        case Table():
            return _render_table(result)
        case _:
            assert_never(result)


def _split_text(text: str) -> list[str]:
    return [text[at : at + MAX_NOTICE_CHARACTERS] for at in range(0, len(text), MAX_NOTICE_CHARACTERS)] or [""]


def _render_listing(listing: Listing) -> MxNotice:
    footer = [listing.footer] if listing.footer else []
    body = "\n\n".join([_group_text(group) for group in listing.groups] + footer)
    html_footer = [f"<p>{to_html(listing.footer)}</p>"] if listing.footer else []
    html = "\n".join([_group_html(group) for group in listing.groups] + html_footer)
    return MxNotice(body=body, html=html)


def _group_text(group: Group) -> str:
    return "\n".join([f"{group.title}:"] + [f"• {_term_text(item)}{item.text}" for item in group.items])


def _group_html(group: Group) -> str:
    items = "".join(f"<li>{_term_html(item)}{to_html(item.text)}</li>" for item in group.items)
    return f"<h4>{escape(group.title)}</h4>\n<ul>{items}</ul>"


def _term_text(item: Item) -> str:
    mark = "" if item.is_well else "⚠️ "
    term = f"`{item.term}`" if item.is_code else item.term
    return f"{mark}{term}: " if item.term else mark


def _term_html(item: Item) -> str:
    mark = "" if item.is_well else "⚠️ "
    tag = "code" if item.is_code else "strong"
    return f"{mark}<{tag}>{escape(item.term)}</{tag}>: " if item.term else mark


def _render_table(table: Table) -> Iterable[MxNotice]:
    if not table.rows:
        return [to_notice(table.if_empty)]
    pages = _pages(table.rows)
    last = len(pages) - 1
    return [
        _render_rows(table.header, rows, footer=table.footer if index == last else "")
        for index, rows in enumerate(pages)
    ]


def _pages(rows: tuple[tuple[str, ...], ...]) -> list[list[tuple[str, ...]]]:
    pages: list[list[tuple[str, ...]]] = [[]]
    size = 0
    for row in rows:
        length = sum(len(cell) for cell in row)
        if pages[-1] and size + length > MAX_NOTICE_CHARACTERS:
            pages.append([])
            size = 0
        pages[-1].append(row)
        size += length
    return pages


def _render_rows(header: tuple[str, ...], rows: list[tuple[str, ...]], *, footer: str) -> MxNotice:
    body = "\n".join([*(" | ".join(row) for row in [header, *rows]), *([f"\n{footer}"] if footer else [])])
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = "".join("<tr>" + "".join(f"<td>{to_html(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    last = f"<p>{to_html(footer)}</p>" if footer else ""
    html = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{last}"
    return MxNotice(body=body, html=html)
