"""Ends the session hosts that a bridge leaves running so that its links stay up."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from pathlib import Path

from mautrix_whatsapp_py.config import load
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.connection import HostSpeaksOtherVersion, HostUnreachable, connect_host
from mautrix_whatsapp_py.whatsapp.folders import DataFolder
from mautrix_whatsapp_py.whatsapp.process import HostProcess

_STOP_SECONDS = 20.0
_EXIT_SECONDS = 5.0


async def end_hosts(data: Path) -> None:
    """Return when no host works on the data folder any more."""
    hosts = DataFolder(path=load(data / "config.yaml", {}).session_folder).hosts
    if hosts.is_dir():
        await asyncio.gather(*(_end(folder) for folder in hosts.iterdir()))


async def _end(folder: Path) -> None:
    with contextlib.suppress(HostUnreachable, HostSpeaksOtherVersion):
        connection = await connect_host(folder / "sock", "demo", lambda _frame: None)
        connection.start()
        connection.put(wire.Shutdown())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await connection.lost.wait()
        await connection.close()
        process = HostProcess(pid=connection.pid)
        if not await process.ended(_EXIT_SECONDS):
            process.signal(signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
