"""Workers that share a database, behind a balancer; each reaches the database over a link of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psycopg2
from aiohttp import web

from tests.homeserver import BridgeProcess
from tests.homeserver.runner import ROOT
from tests.postgres import Postgres
from tests.workers.newer import make_newer

LOOK_SECONDS = 0.05
ANSWER_SECONDS = 5.0
SOCKET = ".s.PGSQL.5432"


class Balancer:
    """Gives each request to the next worker, and to the one after that when there is no answer."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self.folder = folder
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

    name: str
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
    database: Postgres
    rng: random.Random
    are_links_up: Callable[[], bool] = lambda: True
    takeovers: list[float] = field(default_factory=list)
    """Seconds from the moment a worker was struck until others did all that it had done."""
    down: set[str] = field(default_factory=set)
    """Those that were struck and are not to be started yet."""
    restarts: int = 0
    """How often one ended itself and was started again, as its supervisor does."""
    moves: list[float] = field(default_factory=list)
    """Seconds from the order to drain, or from a start, until every account was where it should be."""

    async def leader(self, *, but: Worker | None = None, seconds: float = 60.0) -> Worker:
        """Who leads, as soon as somebody does."""
        async with asyncio.timeout(seconds):
            while True:
                for worker in self.workers:
                    if worker is not but and await worker.answers("ready"):
                        return worker
                await asyncio.sleep(LOOK_SECONDS)

    async def pick(self, *, leads: bool) -> Worker:
        """The worker that leads, or one that does not."""
        leader = await self.leader()
        return leader if leads else self.rng.choice([worker for worker in self.workers if worker is not leader])

    async def revive(self, worker: Worker) -> None:
        """Start a worker that has ended, as its supervisor does; it gets its share back."""
        async with asyncio.timeout(60):
            while worker.bridge.process.is_running:
                await asyncio.sleep(LOOK_SECONDS)
        began = asyncio.get_running_loop().time()
        self.down.discard(worker.name)
        worker.launch()
        await self.until_spread()
        self.moves.append(asyncio.get_running_loop().time() - began)

    # who holds what

    async def holdings(self) -> dict[str, set[str]]:
        """The logins of each worker, by its number's name; the empty name has what nobody holds."""
        question = (
            "SELECT coalesce(split_part(leases.holder, ' ', 2), ''), login FROM wa_holdings LEFT JOIN leases"
            " ON leases.holder = wa_holdings.holder AND leases.name LIKE 'worker %'"
            " AND leases.expires_at_ms > extract(epoch FROM clock_timestamp()) * 1000 WHERE is_wanted"
        )
        rows = await asyncio.to_thread(self.database.execute, question, database="bridge")
        found: dict[str, set[str]] = {}
        for name, login in rows:
            found.setdefault(name, set()).add(login)
        return found

    async def until_spread(self, seconds: float = 90.0) -> None:
        """Wait until everything is held, and every worker holds some of it."""
        async with asyncio.timeout(seconds):
            while not await self._is_spread(len(self.workers)):
                await asyncio.sleep(LOOK_SECONDS)

    async def until_moved(self, worker: Worker) -> None:
        """Wait until a worker has nothing any more, and others have everything."""
        async with asyncio.timeout(90):
            while not (await self._is_spread(len(self.workers) - 1) and worker.name not in await self.holdings()):
                await asyncio.sleep(LOOK_SECONDS)

    async def _is_spread(self, workers: int) -> bool:
        for worker in self.workers:
            if worker.name not in self.down and not worker.bridge.process.is_running:
                self.restarts += 1
                worker.launch()
        with suppress(psycopg2.Error):
            held = await self.holdings()
            return "" not in held and len(held) == workers and self.are_links_up()
        return False

    # blows

    async def strike(self, blow: Callable[[Worker], None], *, leads: bool) -> Worker:
        """Do something to a worker and wait until others do what it did."""
        struck = await self.pick(leads=leads)
        self.down.add(struck.name)
        began = asyncio.get_running_loop().time()
        blow(struck)
        await self.leader(but=struck)
        await self.until_moved(struck)
        self.takeovers.append(asyncio.get_running_loop().time() - began)
        return struck

    async def kill(self, *, leads: bool | None = None) -> None:
        """End a worker without a warning; its hosts live on for as long as they may."""
        struck = await self.strike(lambda worker: worker.signal(signal.SIGKILL), leads=self._which(leads))
        await self.revive(struck)

    async def freeze(self, *, leads: bool | None = None) -> None:
        """Stop a worker's time until after its lease."""
        struck = await self.strike(lambda worker: worker.signal(signal.SIGSTOP), leads=self._which(leads))
        struck.signal(signal.SIGCONT)
        await self.revive(struck)

    async def part(self) -> None:
        """Cut a worker off from the database until others do what it did."""
        struck = await self.strike(lambda worker: worker.link.cut(), leads=self._which(None))
        struck.link.mend()
        await self.revive(struck)

    async def drain(self, *, leads: bool | None = None) -> None:
        """Have a worker hand over, then start a newer version in its place while the others go on as they are."""
        worker = await self.pick(leads=self._which(leads))
        self.down.add(worker.name)
        began = asyncio.get_running_loop().time()
        said = await self._say(worker, "cluster", "drain", worker.name)
        assert f"{worker.name} hands over" in said, said
        await self.until_moved(worker)
        self.moves.append(asyncio.get_running_loop().time() - began)
        status = json.loads(await self._say(worker, "cluster", "status", "--json"))
        lines = {line["name"]: line for line in status["workers"]}
        assert lines[worker.name]["state"] in ("drains", "leads")
        assert lines[worker.name]["logins"] == 0
        held = set().union(*(await self.holdings()).values())
        assert sum(line["logins"] for line in lines.values()) == len(held)
        await worker.bridge.stop()
        await self._upgrade()
        await self.revive(worker)

    async def _upgrade(self) -> None:
        """From now on, whoever starts is of a version with another migration; there is no way back."""
        folder = self.balancer.folder / "newer"
        if not folder.exists():
            await asyncio.to_thread(make_newer, folder)
        for worker in self.workers:
            worker.bridge.process.environment["PYTHONPATH"] = f"{folder}:{ROOT}"

    def _which(self, leads: bool | None) -> bool:
        return self.rng.random() < 1 / len(self.workers) if leads is None else leads

    async def _say(self, worker: Worker, *words: str) -> str:
        """What the command line answers on the machine of a worker."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mautrix_whatsapp_py",
            *words,
            "-c",
            "config.yaml",
            cwd=worker.bridge.folder,
            env={**os.environ, **worker.bridge.process.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return said.decode()


@asynccontextmanager
async def running(crew: Crew) -> AsyncIterator[Crew]:
    """Workers that are started, one of them leading."""
    workers, balancer = crew.workers, crew.balancer
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
