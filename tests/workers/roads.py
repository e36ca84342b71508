"""The ways to workers and from them: a balancer before them, and each one's own way to the database."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.homeserver.processes import Process
from tests.homeserver.runner import ENVIRONMENT

ANSWER_SECONDS = 5.0
START_SECONDS = 30.0
SOCKET = ".s.PGSQL.5432"
CHUNK_BYTES = 1 << 16


class Balancer:
    """Gives each request to the next worker, and to the one after that when there is no answer.

    Where it prefers one, it is the first that is asked.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self.folder = folder
        self._urls: tuple[str, ...] = ()
        self._next = itertools.count()
        self.preferred: str | None = None
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self, urls: tuple[str, ...]) -> None:
        self._urls = urls
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS))
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        assert self._http is not None
        body, first = await request.read(), next(self._next)
        if self.preferred is not None:
            first = self._urls.index(self.preferred)
        headers = {
            name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type")
        }
        for number in range(len(self._urls)):
            url = self._urls[(first + number) % len(self._urls)] + request.path_qs
            try:
                async with self._http.request(request.method, url, data=body, headers=headers) as answer:
                    return web.Response(
                        status=answer.status, body=await answer.read(), content_type=answer.content_type
                    )
            except (aiohttp.ClientError, TimeoutError):
                continue
        return web.Response(status=502)


class DatabaseLink:
    """The way of one worker to the database's socket, which can be cut.

    A process of its own: in the test's, every lease would run out when the test is busy.
    """

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        command = (sys.executable, "-m", "tests.workers.roads", str(folder / SOCKET), str(target / SOCKET))
        self._process = Process("link", command, folder=folder, environment=ENVIRONMENT)

    async def start(self) -> None:
        self.folder.mkdir(parents=True)
        await self._launch()

    def stop(self) -> None:
        self._process.discard()

    def cut(self) -> None:
        """From now on nobody gets through, and those who were there hear nothing more."""
        os.kill(self._process.pid, signal.SIGSTOP)

    async def mend(self) -> None:
        """Connections that hung are gone, new ones get through."""
        self._process.discard()
        (self.folder / SOCKET).unlink()
        await self._launch()

    async def _launch(self) -> None:
        self._process.launch()
        await self._process.wait_until(self._is_there, deadline_seconds=START_SECONDS)

    async def _is_there(self) -> bool:
        return (self.folder / SOCKET).exists()


async def pass_through(here: str, there: str) -> None:
    """Hand on what comes to one socket to another, for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer: asyncio.StreamWriter | None = None
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(there)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except OSError:
            return
        finally:
            for one in (writer, far_writer):
                if one is not None:
                    one.transport.abort()

    # The database's clients may be run by another user than the test.
    os.umask(0)
    server = await asyncio.start_unix_server(serve, path=here, backlog=1000)
    await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(pass_through(*sys.argv[1:]))
