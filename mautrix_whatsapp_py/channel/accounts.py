"""The accounts of the channel and the links they use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mautrix_whatsapp_py.channel.activation import Patterns, compile_patterns
from mautrix_whatsapp_py.channel.settings import AccessRules, to_rules
from mautrix_whatsapp_py.channel.targets import DEFAULT_ACCOUNT, get_default_account, parse_number
from mautrix_whatsapp_py.config.channel import ChannelAccount, ChannelSection
from mautrix_whatsapp_py.ids import LoginId


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account: its keys, and what was made of them."""

    name: str
    keys: ChannelAccount
    rules: AccessRules
    patterns: Patterns
    login: LoginId | None
    """The link it asks for; None for the only one there is."""


class Accounts:
    """All accounts, and which link each of them uses now."""

    def __init__(
        self,
        section: ChannelSection,
        get_logins: Callable[[], Sequence[LoginId]],
        bound: Mapping[str, LoginId] | None = None,
    ) -> None:
        names = list(section.accounts) or [DEFAULT_ACCOUNT]
        made = [_make_account(name, section.of_account(name)) for name in names]
        self._by_name = {account.name: account for account in made if account.keys.enabled}
        self._get_logins = get_logins
        self._bound = dict(bound or {})

    @property
    def all(self) -> Sequence[Account]:
        """Every account."""
        return tuple(self._by_name.values())

    @property
    def default(self) -> str | None:
        """The account meant when none is named."""
        return get_default_account(frozenset(self._by_name))

    def get(self, name: str) -> Account | None:
        """One account."""
        return self._by_name.get(name)

    def bind(self, name: str, login: LoginId) -> None:
        """An account was linked: this is its link."""
        self._bound[name] = login

    def unbind(self, login: LoginId) -> None:
        """A link is gone: whose it was has none."""
        self._bound = {name: one for name, one in self._bound.items() if one != login}

    def login_of(self, account: Account) -> LoginId | None:
        """The link an account uses; None when it has none, or when it is not said which of several."""
        logins = self._get_logins()
        named = account.login or self._bound.get(account.name)
        if named is not None:
            return named if named in logins else None
        claimed = {one.login or self._bound.get(one.name) for one in self.all}
        free = [login for login in logins if login not in claimed]
        return free[0] if len(free) == 1 else None

    def of_login(self, login: LoginId) -> Sequence[Account]:
        """The accounts that listen to a link."""
        return tuple(one for one in self.all if one.keys.web.enabled and self.login_of(one) == login)


def _make_account(name: str, keys: ChannelAccount) -> Account:
    return Account(
        name=name,
        keys=keys,
        rules=to_rules(keys),
        patterns=compile_patterns(keys.mention_patterns),
        login=None if keys.login is None else LoginId(parse_number(keys.login)),
    )
