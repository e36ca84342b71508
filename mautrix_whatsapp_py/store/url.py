"""Where the database is: the address forms the configuration may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


class Dialect(StrEnum):
    """The two kinds of database."""

    SQLITE = "sqlite"
    POSTGRES = "postgresql"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteAddress:
    """A file."""

    path: Path

    def __str__(self) -> str:
        return f"the file {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAddress:
    """A server; the address may hold a password, so only `name` is for readers."""

    dsn: str = field(repr=False)
    name: str

    def __str__(self) -> str:
        return f"the Postgres database {self.name}"


DatabaseAddress = SqliteAddress | PostgresAddress


def decode_database_url(text: str) -> DatabaseAddress:
    """Parse `sqlite:///path`, `sqlite:path`, `file:path?…` or `postgresql://…`; ValueError when it is none."""
    scheme, separator, rest = text.partition(":")
    match scheme.lower():
        # sqlite:///a is relative and sqlite:////a absolute, as SQLAlchemy has it; file:///a is absolute.
        case "sqlite" if separator:
            return SqliteAddress(path=_decode_path(rest, root="///"))
        case "file" if separator:
            return SqliteAddress(path=_decode_path(rest, root="//"))
        case "postgres" | "postgresql" if rest.startswith("//"):
            return _decode_postgres(rest)
    raise ValueError("write sqlite:///path/to/bridge.db or postgresql://user:password@host/database")


def _decode_path(rest: str, *, root: str) -> Path:
    path = rest.partition("?")[0]
    if path.startswith("///"):
        path = path.removeprefix(root)
    elif path.startswith("//"):
        raise ValueError(
            "a SQLite address names no host: write three slashes before the path, four for an absolute one"
        )
    path = unquote(path)
    if not path or path == ":memory:":
        raise ValueError("a SQLite address names a file: a bridge that forgets would lose and double messages")
    return Path(path)


def _decode_postgres(rest: str) -> PostgresAddress:
    parts = urlsplit(f"postgresql:{rest}")
    query = parse_qs(parts.query)
    host = parts.netloc.rpartition("@")[2] or ",".join(query.get("host", [])) or "localhost"
    database = unquote(parts.path.lstrip("/")) or "of its user"
    return PostgresAddress(dsn=f"postgresql:{rest}", name=f"{database} on {host}")
