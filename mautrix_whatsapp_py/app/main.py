"""The life of the program: what is brought up in which order, and taken down in the opposite one."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.backfill import make_backfill
from mautrix_whatsapp_py.app.chats import ChatWork, make_chat_work
from mautrix_whatsapp_py.app.entrance import make_entrance
from mautrix_whatsapp_py.app.files import opened_files
from mautrix_whatsapp_py.app.groups import group_adapters
from mautrix_whatsapp_py.app.homeserver import STARTUP_PATIENCE, opened_homeserver
from mautrix_whatsapp_py.app.links import Links, opened_links, start_links
from mautrix_whatsapp_py.app.talk import make_talk
from mautrix_whatsapp_py.bridge.backfill.asking import Asking
from mautrix_whatsapp_py.bridge.backfill.backfill import Backfill
from mautrix_whatsapp_py.bridge.bridge import Bridge
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.bridge.deps import BridgeDeps, BridgeSettings
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.bridge.room_parts import room_parts
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.commands.admin import AdminDeps, admin_commands
from mautrix_whatsapp_py.commands.dialogs import Dialogs
from mautrix_whatsapp_py.commands.dispatch import Dispatcher
from mautrix_whatsapp_py.commands.history import history_commands, history_part
from mautrix_whatsapp_py.commands.status import bridge_part, database_part, homeserver_part, links_part
from mautrix_whatsapp_py.config import Config, LogFormat, LogLevel, RunOptions
from mautrix_whatsapp_py.errors import ExitCode, MatrixError, StartupError, StoreError
from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.logs import LogOptions, setup_logging
from mautrix_whatsapp_py.matrix.api import BotProfile, HttpMatrixApi
from mautrix_whatsapp_py.matrix.startup import StartupQuestions, require_homeserver, require_ping
from mautrix_whatsapp_py.ops.folder import FolderLock
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.store.claim import Claim
from mautrix_whatsapp_py.store.current import is_current
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress, decode_database_url

log = logging.getLogger(__name__)

Service = Callable[[], Coroutine[Any, Any, None]]
Result = TypeVar("Result")
FIRST_PRUNE_SECONDS = 3600.0
PRUNE_EVERY_SECONDS = 86400.0
_LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


def run(config: Config, options: RunOptions) -> int:
    """Run the bridge until it is told to stop; the exit code. Raises StartupError when it cannot start."""
    _start_logging(config)
    lock = FolderLock(config.data_folder)
    lock.acquire()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_main(config, options))
    finally:
        lock.release()


async def _main(config: Config, options: RunOptions) -> int:
    stop = asyncio.Event()
    _listen_to_signals(stop)
    async with AsyncExitStack() as stack:
        services = await _unless(stop, _start(config, options, stack))
        if services is not None:
            log.info("ready: the bot is %s", config.bot_id)
            await _run_until(stop, services)
        log.info("stopping")
    log.info("stopped")
    return ExitCode.OK


async def _start(config: Config, options: RunOptions, stack: AsyncExitStack) -> tuple[Service, ...]:
    """Bring everything up in order; the stack takes it down in the opposite order."""
    log.info("starting mautrix-whatsapp-py %s", __version__)
    clock = SystemClock()
    services: list[Service] = []
    address = decode_database_url(config.database.uri)
    if isinstance(address, PostgresAddress):
        # An SQLite file lies in the folder that is locked already.
        claim = Claim(address, clock)
        stack.push_async_callback(claim.release)
        await claim.acquire()
        services.append(claim.watch)
    store = await stack.enter_async_context(_opened_store(address, options))
    homeserver = await stack.enter_async_context(opened_homeserver(config, clock))
    matrix, rooms, hasty = homeserver.api, homeserver.rooms, homeserver.hasty
    inbox = Inbox(store, clock)
    questions = StartupQuestions(
        homeserver_address=config.homeserver.address,
        bridge_address=config.appservice.address,
        ignores_unsupported_server=options.ignore_unsupported_server,
    )
    await require_homeserver(hasty, questions, clock)
    await _set_profile(config, hasty)
    health = Health({"homeserver": hasty.fetch_server_info, "database": store.check}, clock=clock)
    users = Users(store)
    links = await stack.enter_async_context(
        opened_links(config, store=store, matrix=matrix, rooms=rooms, users=users, clock=clock)
    )
    files = await stack.enter_async_context(opened_files(config, store=homeserver.files, clock=clock))
    adapters = group_adapters(links, matrix=matrix, rooms=rooms, groups=homeserver.groups)
    talk = make_talk(config, homeserver, store=store, links=links, files=files, clock=clock, adapters=adapters)
    stack.push_async_callback(talk.following.stop)
    work = _make_work(config, talk=talk, matrix=matrix, rooms=rooms, users=users)
    stack.push_async_callback(work.syncing.stop)
    backfill = make_backfill(config, talk=talk, links=links, matrix=matrix, rooms=rooms, users=users)
    bridge = _make_bridge(
        config, matrix=matrix, inbox=inbox, users=users, links=links, talk=talk, work=work, backfill=backfill
    )
    stack.push_async_callback(bridge.stop)
    # Stops before the bridge, whose queues it fills.
    stack.push_async_callback(backfill.stop)
    await _attach(links, bridge, backfill)
    entrance = make_entrance(
        config, bridge=bridge, store=store, inbox=inbox, missed=homeserver.missed, health=health, clock=clock
    )
    stack.push_async_callback(entrance.server.stop)
    # Before the server: it hands over commands of the last run, which must find their logins.
    await start_links(links)
    await entrance.open(config)
    await require_ping(hasty, questions, clock)
    health.start()
    stack.callback(health.end)
    watches = (health.watch, bridge.watch, bridge.watch_disappearing, backfill.watch)
    own = (*watches, talk.following.fill, links.herald.watch_phones)
    return (*services, *own, entrance.catch_up.watch, partial(_prune_daily, inbox))


@asynccontextmanager
async def _opened_store(address: DatabaseAddress, options: RunOptions) -> AsyncIterator[Store]:
    if not await is_current(address):
        # Only here: the migrations cost time and memory that a database which is up to date need not pay.
        from mautrix_whatsapp_py.store.migrate import migrate

        await migrate(
            address,
            is_foreign_allowed=options.ignore_foreign_tables,
            is_unsupported_allowed=options.ignore_unsupported_database,
        )
    store = Store(address)
    try:
        yield store
    finally:
        await store.close()


async def _set_profile(config: Config, matrix: HttpMatrixApi) -> None:
    bot = config.appservice.bot
    avatar = MxUri(bot.avatar) if bot.avatar else None
    try:
        await matrix.ensure_profile(BotProfile(display_name=bot.displayname, avatar=avatar))
    except MatrixError as error:
        log.warning("the bot's name and picture cannot be set: %s %s", error.status, error.errcode)


async def _attach(links: Links, bridge: Bridge, backfill: Backfill) -> None:
    await bridge.load()
    await backfill.load()
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


def _make_bridge(
    config: Config,
    *,
    matrix: HttpMatrixApi,
    inbox: Inbox,
    users: Users,
    links: Links,
    talk: Talk,
    work: ChatWork,
    backfill: Backfill,
) -> Bridge:
    clock = talk.clock
    dialogs = Dialogs()
    prefix = config.bridge.command_prefix
    started_at = clock.monotonic()
    parts = (
        bridge_part(clock=clock, started_at=started_at, inbox_depth=lambda: bridge.inbox_depth),
        homeserver_part(clock=clock, matrix=matrix.with_patience(STARTUP_PATIENCE)),
        database_part(store=talk.store),
        links_part(logins=links.logins, network=links.network, clock=clock),
        history_part(work.deps, backfill),
    )
    admin = AdminDeps(
        users=users,
        dialogs=dialogs,
        status_parts=parts,
        cancels=(links.linking.cancel, work.syncing.cancel, backfill.cancel),
    )
    chat_commands = work.commands(run_request=lambda request: dispatcher.answer(request))
    past_commands = history_commands(work.deps, Asking(backfill))
    commands = (*links.commands(clock), *chat_commands, *past_commands, *admin_commands(admin))
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
        ),
        talk=talk,
    )
    bridge = Bridge(deps)
    return bridge


async def _run_until(stop: asyncio.Event, services: tuple[Service, ...]) -> None:
    """Run the services; one that ends by itself ends the bridge."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(service()) for service in services]
        await stop.wait()
        for task in running:
            task.cancel()


async def _prune_daily(inbox: Inbox) -> None:
    delay_seconds = FIRST_PRUNE_SECONDS
    while True:
        await asyncio.sleep(delay_seconds)
        delay_seconds = PRUNE_EVERY_SECONDS
        try:
            await inbox.prune()
        except StoreError as error:
            log.warning("old ids could not be forgotten, tomorrow is another day: %s", error.text)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What the work results in; None when it was stopped before its end."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
    return None if working.cancelled() else working.result()


def _listen_to_signals(stop: asyncio.Event) -> None:
    """The first signal stops the bridge in order, the next one at once."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, on_signal)


def _start_logging(config: Config) -> None:
    chosen = config.logging
    options = LogOptions(
        level=_LEVELS[chosen.min_level],
        is_json=chosen.format is LogFormat.JSON,
        file=Path(chosen.file) if chosen.file else None,
        secrets=frozenset({config.appservice.as_token, config.appservice.hs_token}),
    )
    try:
        setup_logging(options)
    except OSError as error:
        raise StartupError(
            f"The log file {chosen.file} cannot be written ({error.strerror})",
            mend="correct logging.file, or leave it empty to log to standard output",
            code=ExitCode.LOGGING,
        ) from error
