"""Looks at accounts from time to time: whether they are up, and whether they are deaf."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mautrix_whatsapp_py.channel.accounts import Account, Accounts
from mautrix_whatsapp_py.channel.feed import Feed
from mautrix_whatsapp_py.channel.sender import Sender
from mautrix_whatsapp_py.errors import StoreError, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
PRUNE_SECONDS = 6 * 3600.0


@dataclass(slots=True, kw_only=True)
class Watch:
    """The channel's care for its accounts."""

    accounts: Accounts
    network: WhatsAppNetwork
    feed: Feed
    sender: Sender
    clock: Clock
    restarts: dict[LoginId, int] = field(default_factory=dict)
    """How often an account was taken for deaf."""
    _restarted_at: dict[LoginId, datetime] = field(default_factory=dict)
    _reported: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Look for ever."""
        pruned_at = self.clock.monotonic()
        while True:
            await self.clock.sleep(LOOK_SECONDS)
            await self.look()
            if self.clock.monotonic() - pruned_at >= PRUNE_SECONDS:
                pruned_at = self.clock.monotonic()
                await self._prune()

    async def look(self) -> None:
        """Look once at every account."""
        for account in self.accounts.all:
            login = self.accounts.login_of(account)
            if login is None:
                continue
            self._report(account, login)
            if self._is_deaf(account, login):
                await self._restart(account, login)

    def _report(self, account: Account, login: LoginId) -> None:
        now = self.clock.monotonic()
        if now - self._reported.get(account.name, -1e9) < account.keys.web.heartbeat_seconds:
            return
        self._reported[account.name] = now
        client = self.network.get_client(login)
        state = "without a session" if client is None else client.state.kind
        log.info("account %s (login %s) is %s", account.name, login_tag(login), state)

    def _is_deaf(self, account: Account, login: LoginId) -> bool:
        """Whether the link counts as up while nothing at all has come for too long."""
        client = self.network.get_client(login)
        limit = timedelta(minutes=account.keys.web.stall_minutes)
        if not limit or client is None or not client.state.is_usable:
            return False
        heard = [client.state.since, self._restarted_at.get(login, client.state.since)]
        for host in self.network.get_hosts():
            heard.extend(
                stats.last_event_at
                for stats in host.sessions
                if stats.login == login and stats.last_event_at is not None
            )
        return self.clock.now() - max(heard) >= limit

    async def _restart(self, account: Account, login: LoginId) -> None:
        self.restarts[login] = self.restarts.get(login, 0) + 1
        self._restarted_at[login] = self.clock.now()
        log.warning(
            "account %s: login %s has been silent for %d minutes and is connected anew",
            account.name,
            login_tag(login),
            account.keys.web.stall_minutes,
        )
        try:
            await self.network.connect(login)
        except WhatsAppError as error:
            log.warning("account %s could not be connected anew: %s", account.name, type(error).__name__)

    async def _prune(self) -> None:
        try:
            await self.feed.prune()
            await self.sender.prune()
        except StoreError as error:
            log.warning("old ids of the channel could not be forgotten: %s", error.text)
