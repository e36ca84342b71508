"""An account of a channel that runs alone is linked, and again when its phone ended the link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mautrix_whatsapp_py.channel.accounts import Account, Accounts
from mautrix_whatsapp_py.channel.linking import LinkWish
from mautrix_whatsapp_py.channel.upkeep import Upkeep, UpkeepDeps
from mautrix_whatsapp_py.config.channel import ChannelSection
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import (
    WaDevice,
    WaPaired,
    WaPairingFailed,
    WaPairingFailure,
    WaPairingStep,
    WaState,
    WaStateKind,
)
from tests.fakes.clock import FakeClock
from tests.fakes.whatsapp import START, FakeNetwork, device_of

LOGIN = LoginId("15550001111")
ENDED = WaState(kind=WaStateKind.BAD_CREDENTIALS, since=START, error="wa-logged-out")


class Stage:
    """One account and what its user is shown."""

    def __init__(self) -> None:
        self.network, self.clock = FakeNetwork(), FakeClock()
        self.shown: list[WaPairingStep] = []
        self.unlinked: list[LoginId] = []
        self.accounts = Accounts(ChannelSection(enabled=True), self.network.get_logins)
        (account,) = self.accounts.all
        deps = UpkeepDeps(
            accounts=self.accounts,
            network=self.network,
            clock=self.clock,
            on_linked=self._on_linked,
            on_unlinked=self._on_unlinked,
            show=self._show,
        )
        self.upkeep = Upkeep(deps=deps, account=account, wish=LinkWish())

    async def _on_linked(self, account: Account, device: WaDevice) -> None:
        self.network.link(device)
        self.accounts.bind(account.name, device.login)

    async def _on_unlinked(self, login: LoginId) -> None:
        self.unlinked.append(login)
        self.accounts.unbind(login)

    async def _show(self, _account: str, step: WaPairingStep) -> None:
        self.shown.append(step)

    async def attempt(self, number: int) -> None:
        """The attempt of this number has begun."""
        await self.until(lambda: len(self.network.pairings) == number)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0)


async def test_an_account_is_linked_after_as_many_attempts_as_it_takes_and_again_when_its_phone_ends_it() -> None:
    stage = Stage()
    running = asyncio.create_task(stage.upkeep.run())
    await stage.attempt(1)
    stage.network.pairings[0].give(WaPairingFailed(reason=WaPairingFailure.TIMEOUT))
    await stage.until(lambda: stage.clock.sleeping > 0)
    stage.clock.advance(5)
    await stage.attempt(2)
    stage.network.pairings[1].give(WaPaired(device=device_of(LOGIN)))
    (account,) = stage.accounts.all
    await stage.until(lambda: stage.accounts.login_of(account) == LOGIN)
    assert [type(step) for step in stage.shown] == [WaPairingFailed, WaPaired]

    stage.network.set_state(LOGIN, ENDED)
    stage.upkeep.on_state(LOGIN, ENDED)
    await stage.attempt(3)
    assert stage.unlinked == [LOGIN]
    assert stage.accounts.login_of(account) is None
    stage.network.pairings[2].give(WaPaired(device=device_of(LOGIN)))
    await stage.until(lambda: stage.accounts.login_of(account) == LOGIN)
    running.cancel()


async def test_a_link_that_ended_while_nobody_looked_is_made_anew_at_the_start() -> None:
    stage = Stage()
    stage.network.link(device_of(LOGIN))
    stage.network.set_state(LOGIN, ENDED)
    running = asyncio.create_task(stage.upkeep.run())
    await stage.attempt(1)
    assert stage.unlinked == [LOGIN]
    running.cancel()


async def test_an_account_that_was_unlinked_here_is_not_asked_for_again() -> None:
    stage = Stage()
    stage.network.link(device_of(LOGIN))
    running = asyncio.create_task(stage.upkeep.run())
    await asyncio.sleep(0)
    await stage.network.logout(LOGIN)
    stage.upkeep.on_state(LOGIN, ENDED)
    for _ in range(20):
        await asyncio.sleep(0)
    assert stage.network.pairings == []
    running.cancel()
