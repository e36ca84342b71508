"""The life of the program: what is brought up in which order, and taken down in the opposite one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import uvloop

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.backfill import make_backfill
from mautrix_whatsapp_py.app.chats import ChatWork, make_chat_work, make_forgetting
from mautrix_whatsapp_py.app.cluster import workers_parts
from mautrix_whatsapp_py.app.doctor import diagnose
from mautrix_whatsapp_py.app.doubles import opened_doubles
from mautrix_whatsapp_py.app.entrance import Entrance, make_entrance, serve
from mautrix_whatsapp_py.app.files import opened_files
from mautrix_whatsapp_py.app.groups import group_adapters
from mautrix_whatsapp_py.app.homeserver import STARTUP_PATIENCE, Homeserver, opened_homeserver
from mautrix_whatsapp_py.app.links import Links, opened_links
from mautrix_whatsapp_py.app.marks import make_marking
from mautrix_whatsapp_py.app.metrics import open_metrics, show_metrics
from mautrix_whatsapp_py.app.moving import move_sessions
from mautrix_whatsapp_py.app.provisioning import make_mounts
from mautrix_whatsapp_py.app.running import (
    Service,
    claimed,
    listen_to_signals,
    opened_store,
    run_until,
    start_logging,
    unless,
)
from mautrix_whatsapp_py.app.sharing import Share, former_sessions, run_worker, worker_config
from mautrix_whatsapp_py.app.talk import TalkParts, make_talk
from mautrix_whatsapp_py.app.waiting import meet_homeserver, startup_questions
from mautrix_whatsapp_py.bridge.backfill.asking import Asking
from mautrix_whatsapp_py.bridge.backfill.backfill import Backfill
from mautrix_whatsapp_py.bridge.bridge import Bridge
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.bridge.deps import BridgeDeps, BridgeSettings
from mautrix_whatsapp_py.bridge.doubles import DoublePuppets
from mautrix_whatsapp_py.bridge.partings import PartingDeps, Partings
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.room_parts import room_parts
from mautrix_whatsapp_py.bridge.small_files import SmallFiles
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.commands.admin import AdminDeps, admin_commands
from mautrix_whatsapp_py.commands.ciphers import cipher_commands
from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.dispatch import Dispatcher
from mautrix_whatsapp_py.commands.doctor import doctor_command
from mautrix_whatsapp_py.commands.doubles import double_commands
from mautrix_whatsapp_py.commands.forgetting import forgetting_commands
from mautrix_whatsapp_py.commands.history import history_commands, history_part
from mautrix_whatsapp_py.commands.status import bridge_part, database_part, homeserver_part, links_part
from mautrix_whatsapp_py.commands.strangers import StrangerDesk, stranger_commands
from mautrix_whatsapp_py.config import Config, RunOptions
from mautrix_whatsapp_py.errors import ExitCode, StoreError
from mautrix_whatsapp_py.matrix.api import HttpMatrixApi
from mautrix_whatsapp_py.matrix.startup import Patient, StartupQuestions, require_ping, tell_ping
from mautrix_whatsapp_py.ops.folder import FolderLock
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ops.metrics import Meters
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.store.channel_people import move_people
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import decode_database_url
from mautrix_whatsapp_py.store.user_end import forget_strangers
from mautrix_whatsapp_py.whatsapp.folders import DataFolder

if TYPE_CHECKING:
    from mautrix_whatsapp_py.app.channel import ChannelParts
    from mautrix_whatsapp_py.app.strangers import ChannelStrangers

log = logging.getLogger(__name__)

FIRST_PRUNE_SECONDS = 3600.0
PRUNE_EVERY_SECONDS = 86400.0


def run(config: Config, options: RunOptions) -> int:
    """Run the bridge until it is told to stop; the exit code. Raises StartupError when it cannot start."""
    start_logging(config)
    config = worker_config(config)
    lock = FolderLock(config.data_folder)
    lock.acquire()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_main(config, options))
    finally:
        lock.release()


async def _main(config: Config, options: RunOptions) -> int:
    stop = asyncio.Event()
    listen_to_signals(stop)
    if config.cluster.enabled:
        await run_worker(config, options, stop, _start)
    else:
        await _run_alone(config, options, stop)
    log.info("stopped")
    return ExitCode.OK


async def _run_alone(config: Config, options: RunOptions, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        services = await unless(stop, _start(config, options, stack))
        if services is not None:
            log.info("ready: the bot is %s", config.bot_id)
            await run_until(stop, services)
        log.info("stopping")


async def _start(
    config: Config, options: RunOptions, stack: AsyncExitStack, share: Share | None = None
) -> tuple[Service, ...]:
    """Bring everything up in order; the stack takes it down in the opposite order."""
    log.info("starting mautrix-whatsapp-py %s", __version__)
    clock, meters = SystemClock(), Meters()
    services, store = await _open_store(config, options, stack, clock, meters, share)
    await _tidy_people(store, config)
    homeserver = await stack.enter_async_context(opened_homeserver(config, clock, meters.note_request))
    matrix, rooms, hasty = homeserver.api, homeserver.rooms, homeserver.hasty
    inbox, questions = Inbox(store, clock), startup_questions(config, options)
    page = await open_metrics(config, meters=meters, clock=clock, stack=stack)
    services.extend(await meet_homeserver(config, homeserver, questions, clock))
    health = Health({"homeserver": hasty.fetch_server_info, "database": store.check}, clock=clock)
    users = Users(store)
    links = await stack.enter_async_context(
        opened_links(config, store=store, matrix=matrix, rooms=rooms, users=users, clock=clock, share=share)
    )
    talk, doubles = await _open_talk(
        config, homeserver, stack, store=store, links=links, users=users, clock=clock, meters=meters
    )
    work = _make_work(config, talk=talk, matrix=matrix, rooms=rooms, users=users)
    stack.push_async_callback(work.syncing.stop)
    backfill = make_backfill(
        config, talk=talk, links=links, matrix=matrix, rooms=rooms, users=users, copies=homeserver.copies
    )
    partings = _make_partings(config, talk, work, links)
    stack.push_async_callback(partings.stop)
    strangers = _make_strangers(config)
    parts = _Parts(
        users=users, links=links, talk=talk, work=work, doubles=doubles, backfill=backfill, strangers=strangers
    )
    bridge = _make_bridge(config, parts, homeserver=homeserver, inbox=inbox)
    stack.push_async_callback(bridge.stop)
    # Stops before the bridge, whose queues it fills.
    stack.push_async_callback(backfill.stop)
    await bridge.load()
    await backfill.load()
    await work.syncing.load(links.logins)
    channel = await _open_channel(config, talk, bridge, links, stack)
    _attach(links, bridge, backfill)
    mounts = make_mounts(config, talk=talk, work=work, links=links, users=users, identities=homeserver.identities)
    entrance = make_entrance(
        config, bridge=bridge, store=store, inbox=inbox, homeserver=homeserver, health=health, clock=clock,
        mounts=mounts, share=share,
    )  # fmt: skip
    await serve(entrance, config, links, stack)
    show_metrics(page, config, talk=talk, health=health, meters=meters)
    services.extend(await _test_ping(hasty, questions, entrance, health, clock, share))
    partings.begin()
    services.extend(await _start_channel(channel, strangers))
    health.start()
    stack.callback(health.end)
    marking = make_marking(config, talk, homeserver, users)
    chats = (*bridge.services, talk.following.fill, marking.watch, links.herald.watch_phones, backfill.watch)
    services.extend((health.watch, *chats, entrance.catch_up.watch, *entrance.services))
    return (*services, partial(_prune_daily, inbox))


async def _test_ping(
    api: HttpMatrixApi,
    questions: StartupQuestions,
    entrance: Entrance,
    health: Health,
    clock: SystemClock,
    share: Share | None,
) -> list[Service]:
    """Have the homeserver reach us before we say that we are ready; what has to run where that can wait."""
    server = entrance.server
    if share is not None and share.is_rescue:
        # The homeserver's way to us may lead by the one that froze, and what others take waits for us.
        return [partial(tell_ping, api, questions, Patient(clock=clock), is_reached=lambda: server.was_reached)]
    patient = Patient(clock=clock, on_wait=health.on_wait)
    await require_ping(api, questions, patient, is_reached=lambda: server.was_reached)
    return []


async def _open_store(
    config: Config,
    options: RunOptions,
    stack: AsyncExitStack,
    clock: SystemClock,
    meters: Meters,
    share: Share | None,
) -> tuple[list[Service], Store]:
    """The database, for us alone: for good, or for as long as we lead."""
    if share is not None:
        store = await stack.enter_async_context(share.opened_store(meters.note_database))
        folder = DataFolder(path=config.session_folder)
        await move_sessions(former_sessions(config), folder, store, share.keeping)
        return [], store
    address = decode_database_url(config.database.uri)
    services = await claimed(address, clock, stack)
    return services, await stack.enter_async_context(opened_store(address, options, on_time=meters.note_database))


async def _open_talk(
    config: Config,
    homeserver: Homeserver,
    stack: AsyncExitStack,
    *,
    store: Store,
    links: Links,
    users: Users,
    clock: SystemClock,
    meters: Meters,
) -> tuple[Talk, DoublePuppets]:
    matrix, rooms = homeserver.api, homeserver.rooms
    files = await stack.enter_async_context(opened_files(config, store=homeserver.files, clock=clock))
    adapters = group_adapters(links, matrix=matrix, rooms=rooms, groups=homeserver.groups)
    doubles = await stack.enter_async_context(
        opened_doubles(
            config, homeserver.acting, store=store, matrix=matrix, rooms=rooms, users=users, clock=clock
        )
    )
    parts = TalkParts(
        homeserver=homeserver,
        store=store,
        links=links,
        files=files,
        small_files=SmallFiles(folder=config.data_folder.absolute() / "cards", store=homeserver.files),
        clock=clock,
        doubles=doubles,
        meter=meters,
    )
    talk = make_talk(config, parts, adapters)
    stack.push_async_callback(talk.following.stop)
    return talk, doubles


async def _tidy_people(store: Store, config: Config) -> None:
    """While nothing holds on to a row yet."""
    await store.write(lambda tx: move_people(tx, config.homeserver.domain))
    await store.write(forget_strangers)


def _make_partings(config: Config, talk: Talk, work: ChatWork, links: Links) -> Partings:
    settings = config.bridge.cleanup_on_logout
    partings = Partings(PartingDeps(talk=talk, closings=work.deps.closings, settings=settings))
    links.logins.bind_farewell(partings)
    links.logins.add_listener(partings.on_state)
    return partings


async def _open_channel(
    config: Config, talk: Talk, bridge: Bridge, links: Links, stack: AsyncExitStack
) -> ChannelParts | None:
    """The channel, which hears what the bridge hears; None when nobody wants it."""
    if not config.channel.enabled:
        return None
    # Here and not above: few bridges have one, and its libraries take megabytes.
    from mautrix_whatsapp_py.app.channel import opened_channel

    opened = opened_channel(
        config,
        store=talk.store,
        network=links.network,
        persons=talk.persons,
        door=bridge.side_door,
        clock=talk.clock,
    )
    parts = await stack.enter_async_context(opened)
    talk.tap.bind(parts.intake.take)
    return parts


async def _start_channel(channel: ChannelParts | None, strangers: ChannelStrangers | None) -> Sequence[Service]:
    if channel is None:
        return ()
    if strangers is not None:
        strangers.bind(channel.channel)
    await channel.start()
    return channel.services


def _attach(links: Links, bridge: Bridge, backfill: Backfill) -> None:
    links.deliver_to(bridge.on_wa_event)
    links.logins.add_listener(bridge.on_state)
    links.logins.add_listener(backfill.on_state)


def _make_work(config: Config, *, talk: Talk, matrix: HttpMatrixApi, rooms: MatrixRooms, users: Users) -> ChatWork:
    return make_chat_work(
        config,
        talk=talk,
        matrix=matrix,
        rooms=rooms,
        users=users,
        sync_group=talk.following.sync_group,
        more_parts=room_parts(talk),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the bridge and its commands are made of."""

    users: Users
    links: Links
    talk: Talk
    work: ChatWork
    doubles: DoublePuppets
    backfill: Backfill
    strangers: StrangerDesk | None


def _make_strangers(config: Config) -> ChannelStrangers | None:
    if not config.channel.enabled:
        return None
    # Here and not above, as the channel itself.
    from mautrix_whatsapp_py.app.strangers import ChannelStrangers

    return ChannelStrangers()


def _make_bridge(config: Config, parts: _Parts, *, homeserver: Homeserver, inbox: Inbox) -> Bridge:
    users, links, talk, work, backfill = parts.users, parts.links, parts.talk, parts.work, parts.backfill
    clock, matrix = talk.clock, homeserver.api
    dialogs, prefix = Dialogs(), config.bridge.command_prefix
    started_at = clock.monotonic()
    status_parts = (
        bridge_part(clock=clock, started_at=started_at, inbox_depth=lambda: bridge.inbox_depth),
        homeserver_part(clock=clock, matrix=matrix.with_patience(STARTUP_PATIENCE)),
        database_part(store=talk.store),
        links_part(logins=links.logins, network=links.network, clock=clock),
        history_part(work.deps, backfill),
        *workers_parts(config, talk.store),
    )
    admin = AdminDeps(
        users=users,
        dialogs=dialogs,
        status_parts=status_parts,
        cancels=(links.linking.cancel, work.syncing.cancel, backfill.cancel),
    )
    chat_commands = work.commands(run_request=lambda request: dispatcher.answer(request))
    doctor = doctor_command(partial(diagnose, config, config_path=None, registration_path=None))
    forgetting = make_forgetting(work, users_end=parts.doubles.log_out)
    strangers = stranger_commands(parts.strangers, logins=links.logins)
    own_commands = (
        *double_commands(parts.doubles, talk),
        *cipher_commands(homeserver.crypto),
        *forgetting_commands(forgetting, dialogs),
        doctor,
        *strangers,
    )
    past_commands = history_commands(work.deps, Asking(backfill))
    commands = (*links.commands(clock), *own_commands, *chat_commands, *past_commands, *admin_commands(admin))
    dispatcher = Dispatcher(commands, prefix=prefix, dialogs=dialogs)
    deps = BridgeDeps(
        matrix=matrix,
        inbox=inbox,
        users=users,
        commands=dispatcher,
        clock=clock,
        settings=BridgeSettings(
            command_prefix=prefix,
            permissions=config.bridge.permissions,
            ghost_pattern=work.ghost_pattern,
            requires_encryption=config.encryption.allow and config.encryption.require,
        ),
        talk=talk,
        ciphers=homeserver.crypto,
    )
    bridge = Bridge(deps)
    return bridge


async def _prune_daily(inbox: Inbox) -> None:
    delay_seconds = FIRST_PRUNE_SECONDS
    while True:
        await asyncio.sleep(delay_seconds)
        delay_seconds = PRUNE_EVERY_SECONDS
        try:
            await inbox.prune()
        except StoreError as error:
            log.warning("old ids could not be forgotten, tomorrow is another day: %s", error.text)
