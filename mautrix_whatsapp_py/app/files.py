"""Composition of what takes files across."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession

from mautrix_whatsapp_py.bridge.files import Files
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.media.download import WaDownloads
from mautrix_whatsapp_py.media.tools import WorkerTools
from mautrix_whatsapp_py.ports import Clock, MatrixFiles


@asynccontextmanager
async def opened_files(config: Config, *, store: MatrixFiles, clock: Clock) -> AsyncIterator[Files]:
    """A way for files, until the end of the block."""
    tools = WorkerTools()
    # A proxy of the environment counts as long as the configuration names none, as it does for the session hosts.
    async with ClientSession(trust_env=True) as session:
        source = WaDownloads(session, proxy=config.network.proxy or None)
        folder = config.data_folder.absolute() / "media"
        try:
            yield Files(folder=folder, source=source, store=store, tools=tools, clock=clock)
        finally:
            await tools.stop()
