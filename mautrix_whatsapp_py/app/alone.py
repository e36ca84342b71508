"""The channel without Matrix: what is brought up in which order, and taken down in the opposite one."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import uvloop

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.channel import ChannelParts, auth_folder, drop_bound, opened_channel, put_bound
from mautrix_whatsapp_py.app.hosting import network_options
from mautrix_whatsapp_py.app.running import (
    Service,
    claimed,
    listen_to_signals,
    opened_store,
    run_until,
    start_logging,
    unless,
)
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.alone import AloneDoor
from mautrix_whatsapp_py.channel.linking import LinkWish
from mautrix_whatsapp_py.channel.upkeep import Upkeep, UpkeepDeps
from mautrix_whatsapp_py.config import Config, RunOptions
from mautrix_whatsapp_py.config.channel import ChannelAccounts
from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaDevice, WaPairingStep
from mautrix_whatsapp_py.ops.folder import FolderLock
from mautrix_whatsapp_py.store.channel_people import NOWHERE
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import decode_database_url
from mautrix_whatsapp_py.whatsapp.network import Network

log = logging.getLogger(__name__)

Show = Callable[[str, WaPairingStep], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneOptions:
    """What the command line says about one start."""

    wish: LinkWish = field(default_factory=LinkWish)
    ends_when_linked: bool = False
    """Only link, then stop."""
    show: Show


def run_alone(config: Config, options: RunOptions, alone: AloneOptions) -> int:
    """Run the channel until it is told to stop; the exit code. Raises StartupError when it cannot start."""
    start_logging(config)
    lock = FolderLock(config.data_folder)
    lock.acquire()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_main(_enabled(config), options, alone))
    finally:
        lock.release()


def _enabled(config: Config) -> Config:
    """Whoever runs the channel wants it."""
    section = config.channel
    if section.enabled:
        return config
    accounts = {name: dataclasses.replace(keys, enabled=True) for name, keys in section.accounts.items()}
    section = dataclasses.replace(section, enabled=True, accounts=ChannelAccounts(MappingProxyType(accounts)))
    return dataclasses.replace(config, channel=section)


async def _main(config: Config, options: RunOptions, alone: AloneOptions) -> int:
    stop = asyncio.Event()
    listen_to_signals(stop)
    outcome = [ExitCode.OK]
    async with AsyncExitStack() as stack:
        services = await unless(stop, _start(config, options, alone, stack, stop, outcome))
        if services is not None:
            log.info("ready: the channel runs without Matrix")
            await run_until(stop, services)
        log.info("stopping")
    log.info("stopped")
    return outcome[0]


async def _start(
    config: Config,
    options: RunOptions,
    alone: AloneOptions,
    stack: AsyncExitStack,
    stop: asyncio.Event,
    outcome: list[ExitCode],
) -> tuple[Service, ...]:
    log.info("starting the channel of mautrix-whatsapp-py %s", __version__)
    clock = SystemClock()
    address = decode_database_url(config.database.uri)
    services = await claimed(address, clock, stack)
    store = await stack.enter_async_context(opened_store(address, options))
    persons = Persons(store, GhostNames(template=config.appservice.username_template, domain=NOWHERE))
    door = AloneDoor(persons=persons, clock=clock)
    network_settings = network_options(config)
    folder = auth_folder(config.channel)
    if folder is not None:
        network_settings = dataclasses.replace(network_settings, folder=folder)
    network = Network(network_settings, door)
    stack.push_async_callback(network.stop)
    parts = await stack.enter_async_context(
        opened_channel(
            config, store=store, network=network, persons=persons, door=door, clock=clock, owns_links=True
        )
    )
    stack.push_async_callback(door.stop)
    door.bind(network, parts.intake.take)
    await network.start()
    upkeep = _make_upkeep(parts, alone, persons, store, network)
    if alone.ends_when_linked:
        return (*services, partial(_link_once, upkeep, stop, outcome))
    door.add_listener(upkeep.on_state)
    await parts.start()
    return (*services, *parts.services, upkeep.run)


def _make_upkeep(
    parts: ChannelParts, alone: AloneOptions, persons: Persons, store: Store, network: Network
) -> Upkeep:
    accounts = parts.channel.deps.accounts

    async def on_linked(account: Account, device: WaDevice) -> None:
        # Both addresses belong to one person from the start: mentions come under either.
        await persons.resolve(device.jid, device.lid)
        accounts.bind(account.name, device.login)
        await put_bound(store, account.name, device.login)

    async def on_unlinked(login: LoginId) -> None:
        accounts.unbind(login)
        await drop_bound(store, login)

    deps = UpkeepDeps(
        accounts=accounts,
        network=network,
        clock=parts.channel.deps.clock,
        on_linked=on_linked,
        on_unlinked=on_unlinked,
        show=alone.show,
    )
    return Upkeep(deps=deps, account=parts.channel.require_account(alone.wish.account), wish=alone.wish)


async def _link_once(upkeep: Upkeep, stop: asyncio.Event, outcome: list[ExitCode]) -> None:
    """Link the account, if it is not linked yet; then wait for the end."""
    if upkeep.deps.accounts.login_of(upkeep.account) is None and not await upkeep.link_once():
        outcome[0] = ExitCode.USAGE
    stop.set()
    await asyncio.Event().wait()
