"""Keeps an account linked where the channel runs alone: asks for a link, and again when the phone ended it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mautrix_whatsapp_py.channel.accounts import Account, Accounts
from mautrix_whatsapp_py.channel.linking import LinkWish, link
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.model.wa_link import WaDevice, WaPaired, WaPairingStep, WaState
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork

log = logging.getLogger(__name__)

REST_SECONDS = 5.0
"""Between attempts that came to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepDeps:
    """What keeping an account linked needs."""

    accounts: Accounts
    network: WhatsAppNetwork
    clock: Clock
    on_linked: Callable[[Account, WaDevice], Awaitable[None]]
    """An account has a link: remember it."""
    on_unlinked: Callable[[LoginId], Awaitable[None]]
    """A link is gone for good: forget it."""
    show: Callable[[str, WaPairingStep], Awaitable[None]]
    """Tell the user of a step."""


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Of one account; `on_state` is told of every change of a link."""

    deps: UpkeepDeps
    account: Account
    wish: LinkWish
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def on_state(self, _login: LoginId, _state: WaState) -> None:
        """A link stands elsewhere."""
        self._news.set()

    async def run(self) -> None:
        """For ever; whoever unlinks the account here is not asked to link it again before the next start."""
        await self._clear_ended()
        is_wanted = self.deps.accounts.login_of(self.account) is None
        while True:
            if is_wanted:
                await self.link_until_linked()
            await self._news.wait()
            self._news.clear()
            is_wanted = await self._clear_ended()

    async def link_until_linked(self) -> None:
        """Attempt after attempt."""
        while not await self.link_once():
            await self.deps.clock.sleep(REST_SECONDS)

    async def link_once(self) -> bool:
        """One attempt; whether the account is linked now."""
        is_linked = False
        async for step in link(self.deps.network, self.wish, self.deps.clock):
            if isinstance(step, WaPaired):
                await self.deps.on_linked(self.account, step.device)
                is_linked = True
            await self.deps.show(self.account.name, step)
        return is_linked

    async def _clear_ended(self) -> bool:
        """Forget links that the other side ended; whether the account's own was one."""
        is_own = False
        for login in tuple(self.deps.network.get_logins()):
            client = self.deps.network.get_client(login)
            if client is None or not client.state.needs_login:
                continue
            log.warning("login %s was ended by its phone: link the account again", login_tag(login))
            is_own = is_own or self.deps.accounts.login_of(self.account) == login
            await self.deps.network.delete_session(login)
            await self.deps.on_unlinked(login)
        return is_own
