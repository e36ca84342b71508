"""Composition of what takes files across."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mautrix_whatsapp_py.bridge.files import Files
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.media.download import WaDownloads
from mautrix_whatsapp_py.media.tools import WorkerTools
from mautrix_whatsapp_py.media.way import open_way
from mautrix_whatsapp_py.ports import Clock, MatrixFiles


@asynccontextmanager
async def opened_files(config: Config, *, store: MatrixFiles, clock: Clock) -> AsyncIterator[Files]:
    """A way for files, until the end of the block."""
    tools = WorkerTools()
    async with open_way(config.network.proxy) as session:
        source = WaDownloads(session)
        folder = config.data_folder.absolute() / "media"
        try:
            yield Files(folder=folder, source=source, store=store, tools=tools, clock=clock)
        finally:
            await tools.stop()
