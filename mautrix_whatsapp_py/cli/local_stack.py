"""The bridge and its local homeserver, started and stopped together."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path

import aiohttp

from mautrix_whatsapp_py.cli.generate import DOUBLES_FILE
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ops.child import Child
from mautrix_whatsapp_py.ops.local_homeserver import LocalHomeserver
from mautrix_whatsapp_py.ops.local_place import HOST, SERVER_NAME, is_port_free

READY_POLL_SECONDS = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_both(
    config: Config, data: Path, homeserver_port: int, *, regenerate: str, also: Sequence[str] = ()
) -> int:
    """Run until a signal or until one of the two ends; the exit code.

    `regenerate` is the command that renews the registration, `also` is printed below the next steps.
    """
    return asyncio.run(_run_until_stopped(_serve(config, data, homeserver_port, regenerate, also)))


async def _run_until_stopped(service: Coroutine[None, None, int]) -> int:
    serving = asyncio.create_task(service)
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        return await serving
    except asyncio.CancelledError:
        return ExitCode.OK


async def _serve(config: Config, data: Path, port: int, regenerate: str, also: Sequence[str]) -> int:
    registration, config_path = data / "registration.yaml", data / "config.yaml"
    bridges: list[Child] = []

    def launch_bridge() -> None:
        # Loading its libraries takes as long as Synapse does; there are two processors more often than not.
        arguments = ["run", "-c", str(config_path)]
        held_after = "mautrix_whatsapp_py.app"
        bridges.append(Child("mautrix_whatsapp_py", arguments, inherited=homeserver.locks, held_after=held_after))

    homeserver = LocalHomeserver(
        data / "homeserver",
        port=port,
        registration=registration,
        more_registrations=(data / DOUBLES_FILE,),
        on_launched=launch_bridge,
    )
    try:
        async with homeserver:
            # Only now: the bridge of a start that was killed has let go of its port.
            _require_port(config.appservice.port, config_path, regenerate)
            await homeserver.ensure_user()
            (bridge,) = bridges
            bridge.release()
            try:
                return await _watch(bridge, homeserver, config, also)
            finally:
                await bridge.stop()
    finally:
        for bridge in bridges:
            await bridge.stop()


def _require_port(port: int, config_path: Path, regenerate: str) -> None:
    if not is_port_free(port):
        raise StartupError(
            f"port {port}, meant for the bridge, is taken",
            mend="stop the program that uses it, or set appservice.port and appservice.address in "
            f"{config_path} and run {regenerate}",
            code=ExitCode.LISTENER,
        )


async def _watch(bridge: Child, homeserver: LocalHomeserver, config: Config, also: Sequence[str]) -> int:
    """Say what to do next once the bridge is ready, then wait until one of the two ends."""
    bridge_end = asyncio.create_task(bridge.wait())
    homeserver_end = asyncio.create_task(homeserver.wait_for_end())
    greeting = asyncio.create_task(_greet_when_ready(homeserver, config, also))
    try:
        await asyncio.wait({bridge_end, homeserver_end}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        greeting.cancel()
    if bridge_end.done():
        return bridge_end.result()
    print(
        f"error: the local homeserver ended, so the bridge stops too: see {homeserver.log_path}", file=sys.stderr
    )
    return ExitCode.HOMESERVER_UNREACHABLE


async def _greet_when_ready(homeserver: LocalHomeserver, config: Config, also: Sequence[str]) -> None:
    ready = f"http://{HOST}:{config.appservice.port}/_matrix/mau/ready"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        while True:
            if await _is_ready(http, ready):
                break
            await asyncio.sleep(READY_POLL_SECONDS)
    print("\n".join((*_next_steps(homeserver, config), *also)), flush=True)


async def _is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _next_steps(homeserver: LocalHomeserver, config: Config) -> tuple[str, ...]:
    return (
        f"1. Open any Matrix client on this machine; as homeserver give it  {homeserver.url}",
        f"2. Log in as  {homeserver.user_id}  with the password  {homeserver.password}",
        f"3. Start a direct chat with  @{config.appservice.bot.username}:{SERVER_NAME}",
        "4. Send it  help",
        "5. Ctrl-C here stops the bridge and the homeserver; the same command resumes",
    )
