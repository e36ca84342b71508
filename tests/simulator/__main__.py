"""A server of its own, for trying a bridge by hand: `python -m tests.simulator`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from mautrix_whatsapp_py.errors import StartupError
from mautrix_whatsapp_py.ops.folder import FolderLock
from tests.simulator.control import Control
from tests.simulator.keep import CannotResumeError, restore_world, save_world
from tests.simulator.launcher_command import host_command
from tests.simulator.server import Simulator

_WORLD: Final = "world.pickle"
_LOCK_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.05


async def serve(folder: Path, *, proxy_port: int, control_port: int, accounts: Sequence[str]) -> None:
    """Run until interrupted; the first line printed is a JSON object with the addresses."""
    stopped = asyncio.Event()
    for which in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(which, stopped.set)
    lock = await _take(folder)
    simulator = Simulator.create(folder.resolve())
    restore_world(simulator.world, folder / _WORLD)
    await simulator.start(proxy_port)
    for account in accounts:
        number, _, name = account.partition("=")
        if simulator.world.accounts.by_number(number) is None:
            simulator.add_account(number, name or number)
    runner = web.AppRunner(Control(simulator).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", control_port).start()
    addresses = {
        "control": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "proxy": simulator.proxy_url,
        "host_command": host_command(simulator),
    }
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    await runner.cleanup()
    await simulator.stop()
    save_world(simulator.world, folder / _WORLD)
    lock.release()


async def _take(folder: Path) -> FolderLock:
    """Have the folder to ourselves; a server whose parent was killed needs a moment to write what it knows."""
    lock = FolderLock(folder)
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            lock.acquire()
        except StartupError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return lock


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="what it keeps between two runs")
    parser.add_argument("--proxy-port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--account", action="append", default=[], metavar="NUMBER=NAME")
    options = parser.parse_args()
    service = serve(
        options.folder,
        proxy_port=options.proxy_port,
        control_port=options.control_port,
        accounts=options.account,
    )
    try:
        asyncio.run(service)
    except (StartupError, CannotResumeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
