"""All there is of a WhatsApp session, on its way between files and a database."""

from __future__ import annotations

from dataclasses import dataclass

CellValue = str | int | float | bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCopy:
    """Rows of one of the client library's tables."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[CellValue, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCopy:
    """Credentials, and what is kept beside them."""

    tables: tuple[TableCopy, ...]
    events: tuple[tuple[int, int, bytes], ...]
    """Code, milliseconds, body."""
    sends: tuple[tuple[str, bytes, str | None, bytes | None, int], ...]
    facts: tuple[tuple[str, str], ...]
    is_paused: bool
