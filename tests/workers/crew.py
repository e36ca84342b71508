"""Workers that share a database, behind a balancer; each reaches the database over a link of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.homeserver import BridgeProcess
from tests.homeserver.runner import ENVIRONMENT

LOOK_SECONDS = 0.05
ANSWER_SECONDS = 5.0
SOCKET = ".s.PGSQL.5432"


class Balancer:
    """Gives each request to the next worker, and to the one after that when there is no answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._urls: tuple[str, ...] = ()
        self._next = itertools.count()
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
    """The way of one worker to the database's socket, which can be cut."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        self._target = target
        self._is_cut = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self.folder.mkdir(parents=True)
        self._server = await asyncio.start_unix_server(self._serve, path=self.folder / SOCKET)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._reset()

    def cut(self) -> None:
        """From now on nobody gets through, and those who were there hear nothing more."""
        self._is_cut = True

    def mend(self) -> None:
        """Connections that hung are gone, new ones get through."""
        self._is_cut = False
        self._reset()

    def _reset(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while self._is_cut:
                await asyncio.sleep(LOOK_SECONDS)
            there_reader, there_writer = await asyncio.open_unix_connection(self._target / SOCKET)
            self._writers.add(there_writer)
            await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))
        except OSError:
            return
        finally:
            for one in (writer, locals().get("there_writer")):
                if one is not None:
                    one.transport.abort()
                    self._writers.discard(one)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                while self._is_cut:
                    await asyncio.sleep(LOOK_SECONDS)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@dataclass(slots=True, kw_only=True)
class Worker:
    """One of them."""

    bridge: BridgeProcess
    link: DatabaseLink

    async def answers(self, path: str) -> bool:
        timeout = aiohttp.ClientTimeout(total=1)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.get(f"{self.bridge.url}/_matrix/mau/{path}") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def launch(self) -> None:
        self.bridge.process.launch()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.bridge.process.pid, number)


@dataclass(slots=True, kw_only=True)
class Crew:
    """All of them."""

    workers: list[Worker]
    balancer: Balancer
    handovers: list[float] = field(default_factory=list)
    """Seconds from the order to drain a leader until another one led."""
    are_links_up: Callable[[], bool] = lambda: True
    takeovers: list[float] = field(default_factory=list)
    """Seconds from the moment a leader was struck until another one led and had every link up."""

    async def leader(self, *, but: Worker | None = None, seconds: float = 60.0) -> Worker:
        """Who leads, as soon as somebody does."""
        async with asyncio.timeout(seconds):
            while True:
                for worker in self.workers:
                    if worker is not but and await worker.answers("ready"):
                        return worker
                await asyncio.sleep(LOOK_SECONDS)

    async def revive(self, worker: Worker) -> None:
        """Start a worker that has ended, as its supervisor does."""
        async with asyncio.timeout(60):
            while worker.bridge.process.is_running:
                await asyncio.sleep(LOOK_SECONDS)
            worker.launch()
            while not await worker.answers("live"):
                await asyncio.sleep(LOOK_SECONDS)

    async def strike(self, blow: Callable[[Worker], None]) -> tuple[Worker, Worker]:
        """Do something to the leader and wait until another one leads; both of them."""
        struck = await self.leader()
        began = asyncio.get_running_loop().time()
        blow(struck)
        following = await self.leader(but=struck)
        async with asyncio.timeout(60):
            while not self.are_links_up():
                await asyncio.sleep(LOOK_SECONDS)
        self.takeovers.append(asyncio.get_running_loop().time() - began)
        return struck, following

    async def kill(self) -> None:
        """End the leader without a warning; its hosts live on."""
        struck, _ = await self.strike(lambda worker: worker.signal(signal.SIGKILL))
        await self.revive(struck)

    async def freeze(self) -> None:
        """Stop the leader's time until after its lease."""
        struck, _ = await self.strike(lambda worker: worker.signal(signal.SIGSTOP))
        struck.signal(signal.SIGCONT)
        await self.revive(struck)

    async def part(self) -> None:
        """Cut the leader off from the database until another one leads."""
        struck, _ = await self.strike(lambda worker: worker.link.cut())
        struck.link.mend()
        await self.revive(struck)

    async def drain(self) -> None:
        """Have the leader hand over, as before an upgrade, then start it anew."""
        number = self.workers.index(await self.leader())
        said = await self._say(number, "cluster", "drain", f"w{number}")
        assert f"w{number} hands over" in said, said
        began = asyncio.get_running_loop().time()
        worker = self.workers[number]
        await self.leader(but=worker)
        self.handovers.append(asyncio.get_running_loop().time() - began)
        status = json.loads(await self._say(number, "cluster", "status", "--json"))
        states = {line["name"]: line["state"] for line in status["workers"]}
        assert states.pop(f"w{number}") in ("drains", "silent")
        # Of the others one may be on its way back.
        assert "leads" in states.values()
        await worker.bridge.stop()
        await self.revive(worker)

    async def _say(self, number: int, *words: str) -> str:
        """What the command line answers on the machine of a worker."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mautrix_whatsapp_py",
            *words,
            "-c",
            "config.yaml",
            cwd=self.workers[number].bridge.folder,
            env={**os.environ, **ENVIRONMENT},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return said.decode()


@asynccontextmanager
async def running(workers: list[Worker], balancer: Balancer) -> AsyncIterator[Crew]:
    """Workers that are started, one of them leading."""
    crew = Crew(workers=workers, balancer=balancer)
    for worker in workers:
        await worker.link.start()
    await balancer.start(tuple(worker.bridge.url for worker in workers))
    try:
        # The first one makes the tables; the others would only wait for it.
        await workers[0].bridge.start()
        for worker in workers[1:]:
            worker.launch()
        for worker in workers[1:]:
            while not await worker.answers("live"):
                await asyncio.sleep(LOOK_SECONDS)
        yield crew
    finally:
        for worker in workers:
            if worker.bridge.process.is_running:
                worker.signal(signal.SIGCONT)
        for worker in workers:
            await worker.bridge.aclose()
            await worker.link.stop()
        await balancer.stop()
