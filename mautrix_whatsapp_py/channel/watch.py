"""Looks at accounts from time to time: whether they are up, and whether they are deaf."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mautrix_whatsapp_py.channel.accounts import Account, Accounts
from mautrix_whatsapp_py.channel.hooks import HookBook
from mautrix_whatsapp_py.channel.owners import Owners
from mautrix_whatsapp_py.channel.reconnecting import DEGRADED, Reconnecting
from mautrix_whatsapp_py.errors import StoreError, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
PRUNE_SECONDS = 6 * 3600.0
UNLINKED = "UNLINKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is published of an account."""

    state: str = UNLINKED
    checked_at: datetime | None = None
    stalls: int = 0
    """How often it was taken for deaf."""
    attempts: int = 0
    """How often a lost link was tried anew since it was up."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """The channel's care for its accounts."""

    accounts: Accounts
    owners: Owners
    network: WhatsAppNetwork
    hooks: HookBook
    clock: Clock
    prunes: Sequence[Callable[[], Awaitable[None]]] = ()
    draw: Callable[[], float] = random.random
    restarts: dict[LoginId, int] = field(default_factory=dict)
    """How often an account was taken for deaf."""
    _restarted_at: dict[LoginId, datetime] = field(default_factory=dict)
    _lost: dict[LoginId, Reconnecting] = field(default_factory=dict)
    _reported: dict[str, float] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)
    _health: dict[str, Health] = field(default_factory=dict)

    async def run(self) -> None:
        """Look for ever."""
        pruned_at = self.clock.monotonic()
        while True:
            await self.look()
            await self.clock.sleep(LOOK_SECONDS)
            if self.clock.monotonic() - pruned_at >= PRUNE_SECONDS:
                pruned_at = self.clock.monotonic()
                await self._prune()

    async def look(self) -> None:
        """Look once at every account."""
        for account in self.accounts.all:
            login = self.accounts.login_of(account)
            if login is not None and account.keys.web.enabled:
                await self._reconnect(account, login)
                if self._is_deaf(account, login):
                    await self._restart(account, login)
            await self._tell(account, login)
            self._report(account, login)

    def health_of(self, account: Account) -> Health:
        """What the last report said."""
        return self._health.get(account.name, Health())

    def state_of(self, account: Account) -> str:
        """Where an account's link stands."""
        login = self.accounts.login_of(account)
        state = self._get_state(login)
        lost = None if login is None else self._lost.get(login)
        if state is not None and lost is not None and lost.is_degraded and _is_lost(state):
            return DEGRADED
        return UNLINKED if state is None else state.kind.value

    def _get_state(self, login: LoginId | None) -> WaState | None:
        client = None if login is None else self.network.get_client(login)
        return None if client is None else client.state

    async def _tell(self, account: Account, login: LoginId | None) -> None:
        """Tell webhooks when an account stands elsewhere than at the last look."""
        shown = self.state_of(account)
        at, state = self.clock.now(), self._get_state(login)
        try:
            await self.owners.note(account.name, login)
            if self._told.get(account.name) == shown:
                return
            await self.hooks.note_state(account.name, state, at=at, shown=shown)
        except StoreError as error:
            log.warning("the state of account %s is told later: %s", account.name, error.text)
            return
        self._told[account.name] = shown

    def _report(self, account: Account, login: LoginId | None) -> None:
        now = self.clock.monotonic()
        if now - self._reported.get(account.name, -1e9) < account.keys.web.heartbeat_seconds:
            return
        self._reported[account.name] = now
        lost = None if login is None else self._lost.get(login)
        health = self._health[account.name] = Health(
            state=self.state_of(account),
            checked_at=self.clock.now(),
            stalls=0 if login is None else self.restarts.get(login, 0),
            attempts=0 if lost is None else lost.attempts,
        )
        if login is not None:
            log.info("account %s (login %s) is %s", account.name, login_tag(login), health.state)

    async def _reconnect(self, account: Account, login: LoginId) -> None:
        """Try a lost link anew when its time has come; the library tries by itself, but ever more rarely."""
        state = self._get_state(login)
        if state is None or not _is_lost(state):
            if state is not None and state.is_usable:
                self._lost.pop(login, None)
            return
        keys = account.keys.web.reconnect
        lost = self._lost.setdefault(login, Reconnecting(keys=keys, draw=self.draw))
        was_degraded = lost.is_degraded
        if lost.is_due(self.clock.monotonic()):
            log.info("account %s: attempt %d to connect anew", account.name, lost.attempts)
            await self._connect(account, login)
        elif lost.is_degraded and not was_degraded:
            log.warning("account %s is degraded: %d attempts came to nothing", account.name, lost.attempts)

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
        await self._connect(account, login)

    async def _connect(self, account: Account, login: LoginId) -> None:
        try:
            await self.network.connect(login)
        except WhatsAppError as error:
            log.warning("account %s could not be connected anew: %s", account.name, type(error).__name__)

    async def _prune(self) -> None:
        try:
            for prune in self.prunes:
                await prune()
        except StoreError as error:
            log.warning("old ids of the channel could not be forgotten: %s", error.text)


def _is_lost(state: WaState) -> bool:
    """Whether the link went and may come back by itself; one that was switched off may not."""
    return state.kind is WaStateKind.TRANSIENT_DISCONNECT and state.error != "wa-not-connected"
