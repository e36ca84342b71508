"""Turns plain YAML values into the tree."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import Any, TypeVar

from mautrix_whatsapp_py.config.channel import ChannelAccounts
from mautrix_whatsapp_py.config.decode_named import decode_accounts, decode_rules, is_named
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.permissions import Permission, PermissionLevel, Permissions
from mautrix_whatsapp_py.config.power_levels import PowerLevels
from mautrix_whatsapp_py.config.reference import find_ignored, is_reference_key
from mautrix_whatsapp_py.config.schema import KeyPath, fields_of, is_section, without_none
from mautrix_whatsapp_py.config.section import Section
from mautrix_whatsapp_py.config.suggest import unknown_key_text
from mautrix_whatsapp_py.ids import MxUserId, decode_mx_user

SectionT = TypeVar("SectionT", bound=Section)


class _Mismatch(Exception):
    """A value is not what its key takes."""


def decode_section(kind: type[SectionT], raw: object, path: KeyPath, findings: Findings) -> SectionT:
    """Build a section; keys that are wrong keep their default and are recorded."""
    if raw is None:
        return kind()
    if not isinstance(raw, Mapping):
        findings.add(path, f"must be a group of keys, not {_name(raw)}")
        return kind()
    fields = fields_of(kind)
    values: dict[str, Any] = {}
    for name, value in raw.items():
        here = (*path, str(name))
        if name not in fields:
            _note_unknown(here, value, findings)
            continue
        try:
            if fields[name] is ChannelAccounts and isinstance(value, Mapping):
                values[name] = decode_accounts(value, raw, here, findings, decode_section)
            elif not _is_left_open(fields[name], value):
                values[name] = _decode_value(fields[name], value, here, findings)
        except _Mismatch as mismatch:
            findings.add(here, str(mismatch))
    return kind(**values)


def _note_unknown(path: KeyPath, value: object, findings: Findings) -> None:
    if is_reference_key(path):
        findings.ignored.extend(find_ignored(path, value))
    else:
        findings.add(path, unknown_key_text(path))


def _is_left_open(kind: Any, value: object) -> bool:
    """`key:` with nothing behind it leaves the default, unless nothing is a value of its own."""
    return value is None and NoneType not in typing.get_args(kind)


def _decode_value(kind: Any, value: object, path: KeyPath, findings: Findings) -> object:
    if value is None:
        return None
    kind = without_none(kind)
    if is_section(kind):
        return decode_section(kind, value, path, findings)
    if kind is Permissions:
        return _decode_permissions(value, path, findings)
    if kind is PowerLevels:
        return _decode_power_levels(value, path, findings)
    if kind is ChannelAccounts or is_named(kind):
        if not isinstance(value, Mapping):
            raise _Mismatch(f"must be a group of keys, not {_name(value)}")
        return decode_rules(kind, value, path, findings, decode_section)
    if typing.get_origin(kind) is Mapping:
        return _decode_texts(value, path, findings)
    if typing.get_origin(kind) is tuple and is_section(typing.get_args(kind)[0]):
        return _decode_sections(typing.get_args(kind)[0], value, path, findings)
    return _decode_scalar(kind, value)


def _decode_scalar(kind: Any, value: object) -> object:
    if kind is str:
        return _decode_text(value)
    if kind is bool:
        return _decode_bool(value)
    if kind is int:
        return _decode_int(value)
    if kind is float:
        return _decode_float(value)
    if _is_choice(kind):
        return _decode_choice(kind, value)
    return _decode_list(value)


def _is_choice(kind: Any) -> bool:
    """Whether a type is a closed choice of words."""
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _decode_text(value: object) -> str:
    if isinstance(value, str):
        return value
    mend = "; put it in quotes" if isinstance(value, bool | int | float) else ""
    raise _Mismatch(f"must be text, not {_name(value)}{mend}")


def _decode_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Mismatch(f"must be true or false, not {_name(value)}")


def _decode_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _Mismatch(f"must be a whole number, not {_name(value)}")


def _decode_float(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _Mismatch(f"must be a number, not {_name(value)}")


def _decode_choice(kind: type[StrEnum], value: object) -> StrEnum:
    if isinstance(value, str) and value in list(kind):
        return kind(value)
    raise _Mismatch(f"must be one of: {', '.join(kind)}")


def _decode_list(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Mismatch(f"must be a list of texts, not {_name(value)}")
    return tuple(_decode_text(item) for item in value)


def _decode_sections(
    kind: type[SectionT], value: object, path: KeyPath, findings: Findings
) -> tuple[SectionT, ...]:
    if not isinstance(value, list):
        raise _Mismatch(f"must be a list of groups of keys, not {_name(value)}")
    # Counted from 1, as people count.
    return tuple(
        decode_section(kind, item, (*path, str(number)), findings) for number, item in enumerate(value, start=1)
    )


def _decode_texts(value: object, path: KeyPath, findings: Findings) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise _Mismatch(f"must map names to texts, not {_name(value)}")
    texts: dict[str, str] = {}
    for name, text in value.items():
        try:
            texts[str(name)] = _decode_text(text)
        except _Mismatch as mismatch:
            findings.add((*path, str(name)), str(mismatch))
    return MappingProxyType(texts)


def _decode_permissions(value: object, path: KeyPath, findings: Findings) -> Permissions:
    if not isinstance(value, Mapping):
        raise _Mismatch(f"must map user ids, server names or * to levels, not {_name(value)}")
    entries: dict[str, Permission] = {}
    for subject, entry in value.items():
        try:
            entries[str(subject)] = _decode_permission(entry)
        except _Mismatch as mismatch:
            findings.add((*path, str(subject)), str(mismatch))
    return Permissions(MappingProxyType(entries))


def _decode_power_levels(value: object, path: KeyPath, findings: Findings) -> PowerLevels:
    if not isinstance(value, Mapping):
        raise _Mismatch(f"must map user ids to power levels, not {_name(value)}")
    levels: dict[MxUserId, int] = {}
    for user, level in value.items():
        try:
            decode_mx_user(MxUserId(str(user)))
            levels[MxUserId(str(user))] = _decode_int(level)
        except _Mismatch as mismatch:
            findings.add((*path, str(user)), str(mismatch))
        except ValueError:
            findings.add((*path, str(user)), "is no user id; write it like @name:example.com")
    return PowerLevels(MappingProxyType(levels))


def _decode_permission(entry: object) -> Permission:
    if not isinstance(entry, Mapping):
        return Permission(level=_decode_level(entry))
    if unknown := [str(name) for name in entry if name not in ("level", "max_logins")]:
        raise _Mismatch(f"has only the keys level and max_logins, not {', '.join(unknown)}")
    limit = entry.get("max_logins")
    max_logins = None if limit is None else _decode_int(limit)
    if max_logins is not None and max_logins < 0:
        raise _Mismatch("max_logins must be 0 or more")
    return Permission(level=_decode_level(entry.get("level")), max_logins=max_logins)


def _decode_level(value: object) -> PermissionLevel:
    levels = {level.name.lower(): level for level in PermissionLevel}
    if not isinstance(value, str) or value not in levels:
        raise _Mismatch(f"must be one of: {', '.join(levels)}")
    return levels[value]


def _name(value: object) -> str:
    """What a value is, for a person; never the value, it may be a secret."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    if isinstance(value, Mapping):
        return "a group of keys"
    return names.get(type(value), "nothing" if value is None else "a date")
