"""Accounts that look connected and are deaf."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from mautrix_whatsapp_py.channel.accounts import Accounts
from mautrix_whatsapp_py.channel.hooks import HookBook
from mautrix_whatsapp_py.channel.owners import Owners
from mautrix_whatsapp_py.channel.reconnecting import wait_seconds
from mautrix_whatsapp_py.channel.watch import Watch
from mautrix_whatsapp_py.config.channel import ChannelReconnect, ChannelSection
from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaHostStats, WaSessionStats, WaState, WaStateKind
from tests.fakes.clock import FakeClock
from tests.fakes.whatsapp import START, FakeNetwork, device_of

LOGIN = LoginId("15550001111")


class _Network(FakeNetwork):
    """Counts how often links are brought up."""

    def __init__(self) -> None:
        super().__init__()
        self.connected: list[LoginId] = []

    async def connect(self, login: LoginId) -> None:
        self.connected.append(login)
        await super().connect(login)


class _Owners(Owners):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.noted: set[tuple[str, LoginId | None]] = set()

    async def note(self, account: str, login: LoginId | None) -> None:
        self.noted.add((account, login))


class Stage:
    """One linked account that is looked at."""

    def __init__(self) -> None:
        self.network, self.clock = _Network(), FakeClock()
        self.network.link(device_of(LOGIN))
        nothing: Any = None
        self.owners = _Owners()
        accounts = Accounts(ChannelSection(enabled=True), self.network.get_logins)
        self.watch = Watch(
            accounts=accounts,
            owners=self.owners,
            network=self.network,
            hooks=HookBook((), store=nothing, base_url=""),
            draw=lambda: 0.5,
            clock=self.clock,
        )

    def heard(self) -> None:
        """Something came."""
        stats = WaSessionStats(login=LOGIN, last_event_at=self.clock.now())
        self.network.hosts = (WaHostStats(host="a", pid=1, sessions=(stats,)),)


async def test_a_link_from_which_nothing_comes_is_connected_anew_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    stage.clock.advance(29 * 60)
    stage.heard()
    stage.clock.advance(29 * 60)
    await stage.watch.look()
    assert stage.network.connected == []
    stage.clock.advance(60)
    with caplog.at_level(logging.WARNING):
        await stage.watch.look()
    assert stage.network.connected == [LOGIN]
    assert "silent for 30 minutes" in caplog.text
    await stage.watch.look()
    assert stage.network.connected == [LOGIN]
    stage.clock.advance(30 * 60)
    stage.network.errors.append(WhatsAppUnavailable())
    await stage.watch.look()
    assert stage.watch.restarts == {LOGIN: 2}


async def test_a_link_that_is_down_is_left_to_those_who_bring_it_up() -> None:
    stage = Stage()
    stage.network.set_state(LOGIN, WaState(kind=WaStateKind.TRANSIENT_DISCONNECT, since=START))
    stage.clock.advance(timedelta(days=1).total_seconds())
    await stage.watch.look()
    assert stage.watch.restarts == {}


async def test_a_lost_link_is_tried_anew_ever_more_rarely_until_it_is_degraded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    lost = WaState(kind=WaStateKind.TRANSIENT_DISCONNECT, since=START)
    stage.network.errors.extend(WhatsAppUnavailable() for _ in range(12))
    tried: list[float] = []
    for _ in range(400):
        stage.network.set_state(LOGIN, lost)
        before = len(stage.network.connected)
        await stage.watch.look()
        tried.extend([stage.clock.monotonic()] * (len(stage.network.connected) - before))
        stage.clock.advance(1)
    assert tried[:6] == [2, 6, 13, 25, 46, 76]
    assert len(tried) == 12
    (account,) = stage.watch.accounts.all
    assert stage.watch.state_of(account) == "DEGRADED"
    assert "12 attempts came to nothing" in caplog.text
    stage.network.set_state(LOGIN, WaState(kind=WaStateKind.CONNECTED, since=stage.clock.now()))
    stage.clock.advance(60)
    await stage.watch.look()
    assert (stage.watch.state_of(account), stage.watch.health_of(account).attempts) == ("CONNECTED", 0)


async def test_a_link_that_was_switched_off_stays_so() -> None:
    stage = Stage()
    off = WaState(kind=WaStateKind.TRANSIENT_DISCONNECT, since=START, error="wa-not-connected")
    stage.network.set_state(LOGIN, off)
    for _ in range(20):
        await stage.watch.look()
        stage.clock.advance(10)
    assert stage.network.connected == []


@pytest.mark.parametrize(
    ("attempt", "chance", "expected"),
    [(0, 0.5, 2.0), (1, 0.5, 3.6), (0, 0.0, 1.5), (0, 1.0, 2.5), (50, 0.5, 30.0), (10**6, 1.0, 37.5)],
)
def test_waits_grow_to_their_longest_and_are_a_little_off(attempt: int, chance: float, expected: float) -> None:
    assert wait_seconds(ChannelReconnect(), attempt, chance) == pytest.approx(expected)


async def test_health_is_logged_as_often_as_wanted(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    with caplog.at_level(logging.INFO):
        for _ in range(13):
            await stage.watch.look()
            stage.clock.advance(10)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["account default (login …1111) is CONNECTED"] * 3


async def test_it_remembers_which_link_an_account_uses() -> None:
    stage = Stage()
    await stage.watch.look()
    stage.network.clients.clear()
    await stage.watch.look()
    assert stage.owners.noted == {("default", LOGIN), ("default", None)}
