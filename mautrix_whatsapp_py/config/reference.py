"""Reads files of mautrix-whatsapp: its keys without effect here, and its forms of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.reference_keys import ANY, REFERENCE_KEYS
from mautrix_whatsapp_py.config.schema import KeyPath, dotted
from mautrix_whatsapp_py.config.tree import SQLITE

_LOG_LEVELS = {"trace": "debug", "warning": "warn", "fatal": "error", "panic": "error"}
_SQLITE_TYPES = ("sqlite3-fk-wal", "sqlite3")
_POSTGRES_TYPES = ("postgres", "postgresql")


def is_reference_key(path: KeyPath) -> bool:
    """Whether mautrix-whatsapp has this key and we do nothing with it."""
    node: Any = REFERENCE_KEYS
    for name in path:
        if not isinstance(node, Mapping) or name not in node:
            return False
        node = node[name]
    return True


def find_ignored(path: KeyPath, value: object) -> Iterator[str]:
    """The keys at and below a known path whose value differs from what it is when untouched."""
    default: Any = REFERENCE_KEYS
    for name in path:
        default = default[name]
    yield from _find_changed(path, value, default)


def _find_changed(path: KeyPath, value: object, default: object) -> Iterator[str]:
    if isinstance(value, Mapping) and isinstance(default, Mapping):
        for name, inner in value.items():
            yield from _find_changed((*path, str(name)), inner, default.get(name))
    elif default is not ANY and value != default and value not in (None, "", [], {}):
        yield dotted(path)


def translate_reference_forms(raw: dict[str, Any], findings: Findings) -> None:
    """Rewrite what mautrix-whatsapp says in another form: log levels and the database."""
    logging = raw.get("logging")
    if isinstance(logging, dict) and isinstance(level := logging.get("min_level"), str):
        logging["min_level"] = _LOG_LEVELS.get(level, level)
    database = raw.get("database")
    if isinstance(database, dict):
        _translate_database(database, findings)


def _translate_database(database: dict[str, Any], findings: Findings) -> None:
    kind = database.pop("type", None)
    uri = database.get("uri")
    if kind is not None and kind not in (*_SQLITE_TYPES, *_POSTGRES_TYPES):
        findings.add(("database", "type"), "must be postgres or sqlite3-fk-wal; it may go, the uri says it too")
        return
    if not isinstance(uri, str):
        return
    if uri.startswith("postgres://"):
        uri = uri.replace("postgres://", "postgresql://", 1)
    elif uri.startswith("file:") or (kind in _SQLITE_TYPES and "://" not in uri):
        uri = SQLITE + _file_of(uri)
    database["uri"] = uri
    if (kind in _SQLITE_TYPES) != uri.startswith("sqlite:") and kind is not None:
        findings.add(("database", "type"), f"is {kind}, but the uri is of another database; remove the type")


def _file_of(uri: str) -> str:
    """The path in `file:name?options`; the options are of another SQLite library."""
    path = uri.removeprefix("file:").partition("?")[0]
    return path.removeprefix("//") if path.startswith("///") else path
