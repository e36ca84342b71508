"""An account's rules as the policy reads them: numbers are digits, groups are addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mautrix_whatsapp_py.channel.targets import parse_number
from mautrix_whatsapp_py.config.channel import (
    EVERYBODY,
    Activation,
    ChannelAccount,
    DmPolicy,
    DmRule,
    DmRules,
    DmScope,
    GroupPolicy,
    GroupRule,
)
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, USER_SERVER, WaJid


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """Who is heard, where, and what wakes the reader."""

    allowed_chat_ids: frozenset[str] = frozenset({EVERYBODY})
    dm_policy: DmPolicy = DmPolicy.PAIRING
    allow_from: frozenset[str] = frozenset()
    group_policy: GroupPolicy = GroupPolicy.ALLOWLIST
    group_allow_from: frozenset[str] | None = None
    groups: Mapping[str, GroupRule] | None = None
    activation: Activation = Activation.MENTION
    self_chat_mode: bool | None = None


def to_rules(account: ChannelAccount) -> AccessRules:
    """The rules that the keys of an account spell."""
    senders, groups = account.group_allow_from, account.groups
    return AccessRules(
        allowed_chat_ids=frozenset(to_chat_id(one) for one in account.allowed_chat_ids),
        dm_policy=account.dm_policy,
        allow_from=_to_numbers(account.allow_from),
        group_policy=account.group_policy,
        group_allow_from=None if senders is None else _to_numbers(senders),
        groups=None if groups is None else {to_group_id(name): rule for name, rule in groups.items()},
        activation=account.activation,
        self_chat_mode=account.self_chat_mode,
    )


def to_chat_id(text: str) -> str:
    """A chat as the policy compares it: `*`, the digits of a number, or an address."""
    if text == EVERYBODY:
        return text
    user, has_server, server = text.partition("@")
    if has_server and server != USER_SERVER:
        return text
    try:
        return parse_number(user)
    except CommandError:
        return text


def to_group_id(text: str) -> str:
    """A group's whole address, or `*`."""
    return text if text == EVERYBODY or "@" in text else f"{text}@{GROUP_SERVER}"


def _to_numbers(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(to_chat_id(text) for text in texts)


def to_session_key(chat: WaJid, *, number: str, scope: DmScope) -> str:
    """Which conversation of the reader a message belongs to."""
    if chat.server == GROUP_SERVER:
        return f"whatsapp:group:{chat.bare}"
    if scope is DmScope.MAIN:
        return "main"
    return f"whatsapp:contact:{f'+{number}' if number else chat.bare}"


def history_limit_of(account: ChannelAccount, chat: WaJid, *, number: str) -> int:
    """How many messages are kept as context for a chat."""
    if chat.server == GROUP_SERVER:
        return account.history_limit
    for name, rule in (account.dms or DmRules()).items():
        if isinstance(rule, DmRule) and to_chat_id(name) == number and rule.history_limit is not None:
            return rule.history_limit
    return account.dm_history_limit or 0
