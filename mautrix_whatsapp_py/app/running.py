"""What every way to run the program does: log, claim its data, open its database, stop when told to."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.config import Config, LogFormat, LogLevel, RunOptions
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.logs import LogOptions, setup_logging
from mautrix_whatsapp_py.store.claim import Claim
from mautrix_whatsapp_py.store.current import is_current
from mautrix_whatsapp_py.store.store import OnTime, Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress

Service = Callable[[], Coroutine[Any, Any, None]]
Result = TypeVar("Result")
_LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


async def claimed(address: DatabaseAddress, clock: SystemClock, stack: AsyncExitStack) -> list[Service]:
    """Take the database for this process; what has to run so that it stays ours."""
    if not isinstance(address, PostgresAddress):
        # An SQLite file lies in the folder that is locked already.
        return []
    claim = Claim(address, clock)
    stack.push_async_callback(claim.release)
    await claim.acquire()
    return [claim.watch]


@asynccontextmanager
async def opened_store(
    address: DatabaseAddress, options: RunOptions, *, on_time: OnTime = lambda _kind, _seconds: None
) -> AsyncIterator[Store]:
    if not await is_current(address):
        # Only here: the migrations cost time and memory that a database which is up to date need not pay.
        from mautrix_whatsapp_py.store.migrate import migrate

        await migrate(
            address,
            is_foreign_allowed=options.ignore_foreign_tables,
            is_unsupported_allowed=options.ignore_unsupported_database,
        )
    store = Store(address, on_time=on_time)
    try:
        yield store
    finally:
        await store.close()


async def run_until(stop: asyncio.Event, services: tuple[Service, ...]) -> None:
    """Run the services; one that ends by itself ends the bridge."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(service()) for service in services]
        await stop.wait()
        for task in running:
            task.cancel()


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What the work results in; None when it was stopped before its end."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
    return None if working.cancelled() else working.result()


def listen_to_signals(stop: asyncio.Event) -> None:
    """The first signal stops the bridge in order, the next one at once."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, on_signal)


def start_logging(config: Config) -> None:
    chosen = config.logging
    options = LogOptions(
        level=_LEVELS[chosen.min_level],
        is_json=chosen.format is LogFormat.JSON,
        file=Path(chosen.file) if chosen.file else None,
        secrets=frozenset(_secrets(config)),
    )
    try:
        setup_logging(options)
    except OSError as error:
        raise StartupError(
            f"The log file {chosen.file} cannot be written ({error.strerror})",
            mend="correct logging.file, or leave it empty to log to standard output",
            code=ExitCode.LOGGING,
        ) from error


def _secrets(config: Config) -> list[str]:
    """What no line may hold."""
    own = [config.appservice.as_token, config.appservice.hs_token, config.provisioning.usable_secret or ""]
    own.append(config.channel.token or "")
    for hook in config.channel.webhooks:
        own.extend((hook.secret, *hook.headers.values()))
    return own + [secret.partition(":")[2] for secret in config.double_puppet.secrets.values()]
