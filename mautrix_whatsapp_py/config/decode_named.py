"""Keys that the user names: rules of groups and contacts, and accounts that lie over what the channel says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mautrix_whatsapp_py.config.channel import (
    ChannelAccount,
    ChannelAccounts,
    DmRule,
    DmRules,
    GroupRule,
    GroupRules,
)
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.schema import KeyPath, dotted, fields_of
from mautrix_whatsapp_py.config.section import Section

Decode = Callable[[type[Section], object, KeyPath, Findings], Section]
_ACCOUNT = re.compile(r"[a-z0-9_-]{1,32}")
_RULES: dict[type, tuple[type[Section], type[GroupRules] | type[DmRules]]] = {
    GroupRules: (GroupRule, GroupRules),
    DmRules: (DmRule, DmRules),
}


def is_named(kind: Any) -> bool:
    """Whether a type holds keys that the user names."""
    return kind in _RULES


def decode_rules(
    kind: Any, raw: Mapping[Any, object], path: KeyPath, findings: Findings, decode: Decode
) -> object:
    """Rules by name."""
    rule, whole = _RULES[kind]
    found = {str(name): decode(rule, value, (*path, str(name)), findings) for name, value in raw.items()}
    return whole(MappingProxyType(found))


def decode_accounts(
    raw: Mapping[Any, object], shared: Mapping[str, object], path: KeyPath, findings: Findings, decode: Decode
) -> ChannelAccounts:
    """Accounts, each over what the channel says for all of them; what is wrong there is not said again here."""
    keys = fields_of(ChannelAccount)
    base = {name: value for name, value in shared.items() if name in keys}
    accounts: dict[str, Section] = {}
    for name, value in raw.items():
        account, here = str(name).lower(), (*path, str(name))
        if not _ACCOUNT.fullmatch(account):
            findings.add(here, "is no name of an account; it has 1 to 32 letters, digits, - or _")
            continue
        if account in accounts:
            findings.add(here, "is there twice; names of accounts do not differ by upper case")
            continue
        if value is not None and not isinstance(value, Mapping):
            findings.add(here, "must be a group of keys")
            continue
        own = value or {}
        all_of_it = Findings()
        accounts[account] = decode(ChannelAccount, _laid_over(base, own), here, all_of_it)
        _keep_own(all_of_it, own, here, findings)
    return ChannelAccounts(MappingProxyType(accounts))


def _laid_over(base: Mapping[str, object], own: Mapping[Any, object]) -> dict[str, object]:
    """The base with an account's keys over it; rules by name and lists are replaced, groups of keys are merged."""
    merged = dict(base)
    for name, value in own.items():
        below = merged.get(str(name))
        if isinstance(value, Mapping) and isinstance(below, Mapping) and name not in ("groups", "dms"):
            merged[str(name)] = _laid_over(below, value)
        else:
            merged[str(name)] = value
    return merged


def _keep_own(found: Findings, own: Mapping[Any, object], path: KeyPath, findings: Findings) -> None:
    """Pass on what is wrong with the keys that are written in the account."""
    prefix = f"{dotted(path)}."
    written = set(_paths(own))
    for problem, text in found.problems.items():
        if problem.removeprefix(prefix) in written:
            findings.problems.setdefault(problem, text)
    findings.ignored.extend(key for key in found.ignored if key.removeprefix(prefix) in written)


def _paths(node: Mapping[Any, object], path: KeyPath = ()) -> list[str]:
    found: list[str] = []
    for name, value in node.items():
        here = (*path, str(name))
        found.append(dotted(here))
        if isinstance(value, Mapping):
            found.extend(_paths(value, here))
    return found
