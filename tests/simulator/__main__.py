"""A server of its own, for trying a bridge by hand: `python -m tests.simulator`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from tests.simulator.control import Control
from tests.simulator.launcher_command import host_command
from tests.simulator.server import Simulator


async def serve(folder: Path, *, proxy_port: int, control_port: int, accounts: Sequence[str]) -> None:
    """Run until interrupted; the first line printed is a JSON object with the addresses."""
    simulator = Simulator.create(folder)
    await simulator.start(proxy_port)
    for account in accounts:
        number, _, name = account.partition("=")
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
    stopped = asyncio.Event()
    for which in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(which, stopped.set)
    await stopped.wait()
    await runner.cleanup()
    await simulator.stop()


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the certificate authority lies")
    parser.add_argument("--proxy-port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--account", action="append", default=[], metavar="NUMBER=NAME")
    options = parser.parse_args()
    asyncio.run(
        serve(
            options.folder,
            proxy_port=options.proxy_port,
            control_port=options.control_port,
            accounts=options.account,
        )
    )


if __name__ == "__main__":
    main()
