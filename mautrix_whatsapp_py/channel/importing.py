"""Configurations of other programs, as ours; what cannot be carried over is said."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mautrix_whatsapp_py.config.channel import ChannelAccount, ChannelSection
from mautrix_whatsapp_py.config.document import NotYaml, parse_yaml
from mautrix_whatsapp_py.errors import CommandError

_TOKENS = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<colon>:)""", re.DOTALL
)
_QUOTES = re.compile(r"\\.|\"", re.DOTALL)
_REQUOTED = {r"\'": "'", '"': r"\""}
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_NESTED = {
    "session": frozenset({"dm_scope"}),
    "actions": frozenset({"reactions", "polls"}),
    "ack_reaction": frozenset({"emoji", "direct", "group"}),
    "web": frozenset({"enabled", "heartbeat_seconds", "stall_minutes", "reconnect"}),
}
_RECONNECT = frozenset({"initial_ms", "max_ms", "factor", "jitter", "max_attempts"})
_SCOPES = {"main": "main", "per_contact": "per_contact", "per-peer": "per_contact"}
_SCOPES |= {"per-channel-peer": "per_contact", "per-account-channel-peer": "per_contact"}
_OF_ACCOUNT = frozenset(ChannelAccount.__dataclass_fields__)
_OF_CHANNEL = frozenset(ChannelSection.__dataclass_fields__)
NOTHING = "The file has neither channels.whatsapp nor whatsapp_personal, so there is nothing to import."
_CREDENTIALS = "holds another program's credentials, which cannot be used here: link the account again"


@dataclass(slots=True, kw_only=True)
class Imported:
    """Keys of `channel:`, and what was left behind: `path: why`."""

    keys: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def import_text(text: str, *, is_toml: bool) -> Imported:
    """Read a personal bridge's TOML or a gateway's JSON5; CommandError when it is neither."""
    document = _read_toml(text) if is_toml else _read_json5(text)
    for name in ("whatsapp_personal", "whatsapp-personal"):
        if isinstance(document.get(name), Mapping):
            return _import_personal(document[name], name)
    channels = document.get("channels")
    if isinstance(channels, Mapping) and isinstance(channels.get("whatsapp"), Mapping):
        return _import_gateway(document, channels["whatsapp"])
    raise CommandError(NOTHING)


def _read_toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise CommandError("The file is no TOML.") from None


def _read_json5(text: str) -> Mapping[str, Any]:
    """JSON5 without its comments and with a space after each colon is YAML."""

    def rewrite(match: re.Match[str]) -> str:
        if match["string"] is not None:
            return _double_quoted(match["string"])
        return " " if match["comment"] is not None else ": "

    try:
        document = parse_yaml(_TOKENS.sub(rewrite, text))
    except NotYaml:
        raise CommandError("The file is no JSON5.") from None
    if not isinstance(document, Mapping):
        raise CommandError("The file is no JSON5.")
    return document


def _double_quoted(text: str) -> str:
    """A string in the quotes in which YAML and JSON5 mean the same by a backslash."""
    if text.startswith('"'):
        return text
    inner = _QUOTES.sub(lambda one: _REQUOTED.get(one[0], one[0]), text[1:-1])
    return f'"{inner}"'


def _import_personal(raw: Mapping[str, Any], name: str) -> Imported:
    found = Imported()
    _take_all(raw, name, found.keys, found, known=_OF_CHANNEL)
    return found


def _import_gateway(document: Mapping[str, Any], raw: Mapping[str, Any]) -> Imported:
    found = Imported(keys={"enabled": True})
    _take_all(raw, "channels.whatsapp", found.keys, found, known=_OF_CHANNEL)
    messages, session, web = (_group(document, name) for name in ("messages", "session", "web"))
    chat = _group(messages, "groupChat")
    shared = {
        "responsePrefix": messages.get("responsePrefix"),
        "messagePrefix": messages.get("messagePrefix"),
        "mentionPatterns": chat.get("mentionPatterns"),
        "historyLimit": chat.get("historyLimit"),
        "session": session or None,
        "web": web or None,
    }
    for name, value in shared.items():
        if value is not None and _to_snake(name) not in found.keys:
            _take(name, value, name, found.keys, found, known=_OF_CHANNEL)
    others = set(document) - {"channels", "messages", "session", "web"}
    found.left.extend(f"{name}: is not about WhatsApp" for name in sorted(others))
    return found


def _take_all(
    raw: Mapping[str, Any], path: str, into: dict[str, Any], found: Imported, *, known: frozenset[str]
) -> None:
    for name, value in raw.items():
        _take(str(name), value, f"{path}.{name}", into, found, known=known)


def _take(
    name: str, value: Any, path: str, into: dict[str, Any], found: Imported, *, known: frozenset[str]
) -> None:
    key = _to_snake(name)
    if key == "auth_dir":
        found.left.append(f"{path}: {_CREDENTIALS}")
    elif key not in known:
        found.left.append(f"{path}: has no counterpart here")
    elif key == "accounts" and isinstance(value, Mapping):
        accounts = into.setdefault("accounts", {})
        for account, keys in value.items():
            own: dict[str, Any] = {}
            accounts[str(account).lower()] = own
            if isinstance(keys, Mapping):
                _take_all(keys, f"{path}.{account}", own, found, known=_OF_ACCOUNT)
    elif key in ("groups", "dms") and isinstance(value, Mapping):
        wanted = "require_mention" if key == "groups" else "history_limit"
        into[key] = {str(one): dict(_pick(rule, f"{path}.{one}", {wanted}, found)) for one, rule in value.items()}
    elif key in _NESTED and isinstance(value, Mapping):
        into[key] = dict(_pick(value, path, _NESTED[key], found))
    else:
        into[key] = value


def _pick(raw: Any, path: str, wanted: frozenset[str] | set[str], found: Imported) -> Iterator[tuple[str, Any]]:
    """The keys of a group that we have."""
    for name, value in raw.items() if isinstance(raw, Mapping) else ():
        key = _to_snake(str(name))
        if key not in wanted:
            found.left.append(f"{path}.{name}: has no counterpart here")
        elif key == "reconnect" and isinstance(value, Mapping):
            yield key, dict(_pick(value, f"{path}.{name}", _RECONNECT, found))
        elif key == "dm_scope":
            if value in _SCOPES:
                yield key, _SCOPES[value]
            else:
                found.left.append(f"{path}.{name}: has a value that has no counterpart here")
        else:
            yield key, value


def _group(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def _to_snake(name: str) -> str:
    return _CAMEL.sub(r"_\1", name).replace("-", "_").lower()
