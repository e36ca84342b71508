"""The session host: a process that holds links to WhatsApp and outlives the bridge."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import logging
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from mautrix_whatsapp_py.fencing import Fence
from mautrix_whatsapp_py.whatsapp.host.host import Host
from mautrix_whatsapp_py.whatsapp.host.keep import PostgresKeep
from mautrix_whatsapp_py.whatsapp.host.library import Neonize
from mautrix_whatsapp_py.whatsapp.host.logs import set_up_logs
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf
from mautrix_whatsapp_py.whatsapp.host.server import BridgeOutlet
from mautrix_whatsapp_py.whatsapp.host.timings import Timings
from mautrix_whatsapp_py.whatsapp.keeping import ENVIRONMENT, Keeping

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 3600.0
BOT_TAG = "NEONIZE_BOT_TAG"
_END_SECONDS = 60.0
_SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """The command line."""

    name: str
    socket: Path
    orphan_seconds: float
    is_pairing: bool
    timings: Timings


def parse_options(arguments: Sequence[str]) -> HostOptions:
    """Read the arguments the bridge appends to `whatsapp.host_command`."""
    parser = argparse.ArgumentParser(prog="session host", description=__doc__)
    parser.add_argument("--name", required=True, help="the bridge's name for this host")
    parser.add_argument("--socket", required=True, type=Path, help="where to listen for the bridge")
    parser.add_argument(
        "--orphan-seconds",
        type=float,
        default=ORPHAN_SECONDS,
        help="how long links stay up, and events are kept, while no bridge is attached (default: one hour)",
    )
    parser.add_argument("--pairing", action="store_true", help="make one new session, then end")
    parser.add_argument("--timings", default="{}", help="JSON; for tests")
    options = parser.parse_args(arguments)
    return HostOptions(
        name=options.name,
        socket=options.socket,
        orphan_seconds=options.orphan_seconds,
        is_pairing=options.pairing,
        timings=msgspec.json.decode(options.timings, type=Timings),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until told to stop, or until no bridge has been there for too long."""
    options = parse_options(sys.argv[1:] if arguments is None else arguments)
    os.umask(0o077)
    # The library's threads wait for the interpreter; every millisecond they do, a dead pump loses messages.
    sys.setswitchinterval(_SWITCH_SECONDS)
    outlet = BridgeOutlet()
    set_up_logs(outlet)
    _raise_descriptor_limit()
    if os.environ.get(BOT_TAG) != "off":
        # Read by the library's runtime from the environment of the exec only; too late to set it here.
        log.error("%s=off is missing in the environment: messages would be marked as a bot's", BOT_TAG)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_run(options, outlet))
    logging.shutdown()
    # Threads of the library may never return; nothing of ours is open any more.
    os._exit(code)


def _raise_descriptor_limit() -> None:
    """Room for the files the library never closes; the bridge replaces us long before it is used up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(options: HostOptions, outlet: BridgeOutlet) -> int:
    keeping = _decode_keeping(os.environ.get(ENVIRONMENT))
    ending = asyncio.Event()
    fence = None if keeping is None else _start_fence(keeping, ending)
    host = Host(
        name=options.name,
        outlet=outlet,
        library=Neonize(),
        protobuf=Protobuf(),
        timings=options.timings,
        is_pairing=options.is_pairing,
        keep=None if keeping is None else PostgresKeep(keeping),
        fence=fence,
        end=ending,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.end.set)
    _give_back()
    await host.server.start(options.socket)
    await _until_over(host, options)
    try:
        async with asyncio.timeout(_END_SECONDS):
            await host.stop()
    except TimeoutError:
        log.error("the host did not stop in %.0f s; it ends anyway", _END_SECONDS)
        return 1
    finally:
        options.socket.unlink(missing_ok=True)
    return 0


def _give_back() -> None:
    """What loading the library took and freed again; there are many hosts like this one."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _decode_keeping(text: str | None) -> Keeping | None:
    return None if text is None else msgspec.json.decode(text, type=Keeping)


def _start_fence(keeping: Keeping, ending: asyncio.Event) -> Fence:
    loop = asyncio.get_running_loop()
    fence = Fence(
        # Nothing is held yet: whoever has a session started says first for how long.
        math.inf,
        grace_seconds=keeping.grace_seconds,
        on_grace=lambda: loop.call_soon_threadsafe(ending.set),
    )
    fence.start()
    return fence


async def _until_over(host: Host, options: HostOptions) -> None:
    """Wait for the end: told, done, or forgotten by every bridge for too long."""
    while not host.end.is_set():
        patience = options.orphan_seconds if not options.is_pairing else min(options.orphan_seconds, 30.0)
        if host.orphan_since and time.monotonic() - host.orphan_since > patience:
            log.warning("no bridge for %.0f s: links are taken down", patience)
            return
        if host.orphan_since and not options.socket.exists():
            log.warning("the folder of this host is gone, no bridge can find it: links are taken down")
            return
        try:
            async with asyncio.timeout(min(1.0, patience)):
                await host.end.wait()
        except TimeoutError:
            continue
