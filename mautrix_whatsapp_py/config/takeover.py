"""A configuration of mautrix-whatsapp, of any version, becomes one of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mautrix_whatsapp_py.config.document import parse_document, read_text
from mautrix_whatsapp_py.config.edit import Value, replace_values
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.load import decode
from mautrix_whatsapp_py.config.reference import find_ignored, is_reference_key, translate_reference_forms
from mautrix_whatsapp_py.config.schema import KeyPath, all_keys, dotted
from mautrix_whatsapp_py.config.tree import Config
from mautrix_whatsapp_py.errors import ConfigError

_HISTORY: Final = ("network", "history_sync")
LEGACY_KEYS: Final[Mapping[KeyPath, KeyPath]] = {
    ("bridge", "username_template"): ("appservice", "username_template"),
    ("bridge", "displayname_template"): ("network", "displayname_template"),
    ("bridge", "delivery_receipts"): ("matrix", "delivery_receipts"),
    ("bridge", "message_status_events"): ("matrix", "message_status_events"),
    ("bridge", "message_error_notices"): ("matrix", "message_error_notices"),
    ("bridge", "sync_direct_chat_list"): ("matrix", "sync_direct_chat_list"),
    ("bridge", "call_start_notices"): ("network", "call_start_notices"),
    ("bridge", "enable_status_broadcast"): ("network", "enable_status_broadcast"),
    ("bridge", "mute_status_broadcast"): ("network", "mute_status_broadcast"),
    ("bridge", "status_broadcast_tag"): ("network", "status_broadcast_tag"),
    ("bridge", "pinned_tag"): ("network", "pinned_tag"),
    ("bridge", "archive_tag"): ("network", "archive_tag"),
    ("bridge", "url_previews"): ("network", "url_previews"),
    ("bridge", "extev_polls"): ("network", "extev_polls"),
    ("bridge", "history_sync", "backfill"): ("backfill", "enabled"),
    ("bridge", "history_sync", "message_count"): ("backfill", "max_initial_messages"),
    ("bridge", "history_sync", "unread_hours_threshold"): ("backfill", "unread_hours_threshold"),
    ("bridge", "history_sync", "max_initial_conversations"): (*_HISTORY, "max_initial_conversations"),
    ("bridge", "history_sync", "request_full_sync"): (*_HISTORY, "request_full_sync"),
    ("bridge", "history_sync", "full_sync_config"): (*_HISTORY, "full_sync_config"),
    ("bridge", "encryption"): ("encryption",),
    ("bridge", "provisioning", "shared_secret"): ("provisioning", "shared_secret"),
    ("bridge", "double_puppet_server_map"): ("double_puppet", "servers"),
    ("bridge", "login_shared_secret_map"): ("double_puppet", "secrets"),
    ("whatsapp", "os_name"): ("network", "os_name"),
    ("whatsapp", "browser_name"): ("network", "browser_name"),
    ("whatsapp", "proxy"): ("network", "proxy"),
    ("appservice", "database"): ("database",),
}
"""Where keys of versions up to 0.10 are since; the longest that fits counts."""
_NOT_KEYS: Final = (("database",), ("logging", "file"), ("logging", "writers"), ("encryption", "pickle_key"))
"""Of the old bridge's own files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldConfig:
    """What there is to know of a configuration of the old bridge."""

    database_uri: str
    """As it is written there; empty when it is not."""
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenConfig:
    """Ours, and why which keys of theirs are not in it."""

    text: str
    config: Config
    left: tuple[str, ...]


def read_old(path: Path) -> OldConfig:
    """Read a configuration of the old bridge; ConfigError when it is none."""
    raw = parse_document(read_text(path), path)
    moved = _modernise(raw)
    database = moved.get("database")
    uri = database.get("uri") if isinstance(database, dict) else None
    return OldConfig(database_uri=str(uri or ""), raw=moved)


def take_over_config(old: OldConfig, target: Path, *, database_uri: str) -> TakenConfig:
    """The text of our configuration; values that we cannot use stay what they are by default."""
    translate_reference_forms(old.raw, Findings())
    ours = {key.path for key in all_keys() if not key.is_section}
    sections = {key.path for key in all_keys() if key.is_section}
    values: dict[KeyPath, Value] = {}
    left: list[str] = []
    for path, value in _leaves(old.raw, ours, sections):
        if path[:1] in _NOT_KEYS or path[:2] in _NOT_KEYS:
            continue
        if path in ours:
            if value is not None:
                values[path] = value
        elif is_reference_key(path):
            left += [f"configuration {key}: it has no effect here" for key in find_ignored(path, value)]
        elif value not in (None, "", [], {}):
            left.append(f"configuration {dotted(path)}: there is no such key here")
    values[("database", "uri")] = database_uri
    return _decoded(values, left, target)


def _decoded(values: dict[KeyPath, Value], left: list[str], target: Path) -> TakenConfig:
    """Leave out what is refused, once; what is still refused then is an error of the file."""
    try:
        return _build(values, left, target)
    except ConfigError as error:
        refused = {
            path: problem
            for problem in error.problems
            for path in values
            if problem.startswith((f"{dotted(path)}:", f"{dotted(path)}."))
        }
        if not refused:
            raise
        left += [f"configuration {problem}" for problem in refused.values()]
        return _build({path: value for path, value in values.items() if path not in refused}, left, target)


def _build(values: dict[KeyPath, Value], left: list[str], target: Path) -> TakenConfig:
    text = replace_values(example_text(), values)
    return TakenConfig(text=text, config=decode(text, target, {}).config, left=tuple(left))


def _modernise(raw: dict[str, Any]) -> dict[str, Any]:
    """The same keys where newer versions have them."""
    moved: dict[str, Any] = {}
    for path, value in _paths(raw):
        fits = [old for old in LEGACY_KEYS if path[: len(old)] == old]
        best = max(fits, key=len, default=())
        new = (*LEGACY_KEYS[best], *path[len(best) :]) if best else path
        node = moved
        for name in new[:-1]:
            inner = node.setdefault(name, {})
            node = inner if isinstance(inner, dict) else node
        # What stands where it belongs counts more than what was moved there.
        if not best or new[-1] not in node:
            node[new[-1]] = value
    return moved


def _paths(node: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for name, value in node.items():
        here = (*path, str(name))
        if isinstance(value, Mapping) and value and here not in _WHOLE:
            yield from _paths(value, here)
        else:
            yield here, value


_WHOLE: Final = frozenset(
    {
        ("bridge", "permissions"),
        ("bridge", "double_puppet_server_map"),
        ("bridge", "login_shared_secret_map"),
        ("double_puppet", "servers"),
        ("double_puppet", "secrets"),
    }
)
"""Keys whose names are of the administrator's own."""


def _leaves(
    raw: Mapping[str, Any], ours: set[KeyPath], sections: set[KeyPath], path: KeyPath = ()
) -> Iterator[tuple[KeyPath, Any]]:
    """What has a value of its own, as deep as our own keys go."""
    for name, value in raw.items():
        here = (*path, str(name))
        is_deeper = here in sections or (here not in ours and not is_reference_key(here))
        if isinstance(value, Mapping) and value and is_deeper:
            yield from _leaves(value, ours, sections, here)
        else:
            yield here, value
