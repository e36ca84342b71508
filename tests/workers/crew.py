"""Workers that share a database, behind a balancer; each reaches the database over a link of its own."""

from __future__ import annotations

import asyncio
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

from mautrix_whatsapp_py.tasks import end_all
from tests.homeserver import BridgeProcess
from tests.homeserver.runner import ROOT
from tests.postgres import Postgres
from tests.workers.drip import Drip
from tests.workers.roads import Balancer, DatabaseLink

LOOK_SECONDS = 0.05
COUNT_SECONDS = 0.25
"""Between two looks into the database, each of which is a new connection."""
PATIENCE_SECONDS = 180.0
PATIENCE = "MAUTRIX_WHATSAPP_CLUSTER__LEASE_TTL"


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

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def cut(self) -> None:
        self.link.cut()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.bridge.process.pid, number)


@dataclass(slots=True, kw_only=True)
class Crew:
    """All of them."""

    workers: list[Worker]
    balancer: Balancer
    database: Postgres
    newer: Path
    """Where a newer version of the program is."""
    rng: random.Random
    are_links_up: Callable[[], bool] = lambda: True
    drip: Drip = field(default_factory=Drip)
    takeovers: list[float] = field(default_factory=list)
    """Seconds from the moment a worker was struck until others did all that it had done."""
    steps: list[str] = field(default_factory=list)
    """The same of each, with what happened on the way."""
    down: set[str] = field(default_factory=set)
    """Those that were struck and are not to be started yet."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    restarts: int = 0
    """How often one ended itself and was started again, as its supervisor does."""
    moves: list[float] = field(default_factory=list)
    """Seconds from the order to drain, or from a start, until every account was where it should be."""

    async def leader(self, *, but: Worker | None = None, seconds: float = PATIENCE_SECONDS) -> Worker:
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
        async with asyncio.timeout(PATIENCE_SECONDS):
            while worker.bridge.process.is_running:
                await asyncio.sleep(LOOK_SECONDS)
        began = asyncio.get_running_loop().time()
        self.down.discard(worker.name)
        async with self.drip.during("a worker joins"):
            worker.launch()
            await self.until_spread()
            self.moves.append(asyncio.get_running_loop().time() - began)

    async def ask(self, worker: Worker, path: str, secret: str, user: str) -> int:
        """How many accounts a user has, as a worker answers programs, whoever leads."""
        url, query = f"{worker.bridge.url}/_matrix/provision/{path}", {"user_id": user}
        headers = {"Authorization": f"Bearer {secret}"}
        async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as http:
            while True:
                async with http.get(url, params=query, headers=headers) as answer:
                    if answer.status != 503:
                        return len((await answer.json())["logins"])
                await asyncio.sleep(LOOK_SECONDS)

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

    async def until_spread(self, *, workers: int | None = None, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until everything is held, and every worker has its share."""
        async with asyncio.timeout(seconds):
            while not await self._is_spread(workers or len(self.workers)):
                await asyncio.sleep(COUNT_SECONDS)

    async def until_moved(self, worker: Worker) -> None:
        """Wait until a worker has nothing any more, and others have everything."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await self._is_spread(len(self.workers) - 1) and worker.name not in await self.holdings()):
                await asyncio.sleep(COUNT_SECONDS)

    async def gather(self) -> None:
        """Have all of them work, with leases as they are configured."""
        first = self.workers[0].bridge
        await first.stop()
        del first.process.environment[PATIENCE]
        for worker in self.workers:
            worker.launch()
        self.tasks.append(asyncio.create_task(self.supervise()))
        for worker in self.workers:
            while not await worker.answers("live"):
                await asyncio.sleep(LOOK_SECONDS)
        await self.until_spread()

    async def supervise(self) -> None:
        """Start whoever has ended without being struck: on a machine that stands still leases run out."""
        while True:
            for worker in self.workers:
                if worker.name not in self.down and not worker.bridge.process.is_running:
                    self.restarts += 1
                    worker.launch()
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_spread(self, workers: int) -> bool:
        return await self._is_held(workers) and self.are_links_up()

    async def _is_held(self, workers: int) -> bool:
        with suppress(psycopg2.Error):
            held = await self.holdings()
            sizes = [len(logins) for logins in held.values()]
            # Accounts are chosen so that shares of all workers are the same.
            is_fair = len(sizes) == workers and (workers < len(self.workers) or max(sizes) - min(sizes) <= 1)
            return "" not in held and is_fair
        return False

    # blows

    async def strike(self, blow: Callable[[Worker], None], *, leads: bool) -> Worker:
        """Do something to a worker and wait until others do what it did."""
        struck, now = await self.pick(leads=leads), asyncio.get_running_loop().time
        self.down.add(struck.name)
        began = now()
        blow(struck)
        await self.leader(but=struck)
        led = now() - began
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._is_held(len(self.workers) - 1):
                await asyncio.sleep(COUNT_SECONDS)
        held = now() - began
        await self.until_moved(struck)
        self.takeovers.append(now() - began)
        what = "leader" if leads else "worker"
        self.steps.append(f"{what} {blow.__name__}: led {led:.1f}, held {held:.1f}, linked {now() - began:.1f}")
        return struck

    async def kill(self, *, leads: bool | None = None) -> None:
        """End a worker without a warning; its hosts live on for as long as they may."""
        struck = await self.strike(Worker.kill, leads=self._which(leads))
        await self.revive(struck)

    async def freeze(self, *, leads: bool | None = None) -> None:
        """Stop a worker's time until after its lease."""
        struck = await self.strike(Worker.freeze, leads=self._which(leads))
        struck.signal(signal.SIGCONT)
        await self.revive(struck)

    async def part(self) -> None:
        """Cut a worker off from the database until others do what it did."""
        struck = await self.strike(Worker.cut, leads=self._which(None))
        await struck.link.mend()
        await self.revive(struck)

    async def drain(self, *, leads: bool | None = None) -> None:
        """Have a worker hand over, then start a newer version in its place while the others go on as they are."""
        worker = await self.pick(leads=self._which(leads))
        self.down.add(worker.name)
        began = asyncio.get_running_loop().time()
        does = "leads" if worker is await self.leader() else "works"
        async with self.drip.during(f"one that {does} drains"):
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
        self._upgrade()
        await self.revive(worker)

    def _upgrade(self) -> None:
        """From now on, whoever starts is of a version with another migration; there is no way back."""
        for worker in self.workers:
            worker.bridge.process.environment["PYTHONPATH"] = f"{self.newer}:{ROOT}"

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
    """One worker alone, which leads; `gather` brings the others."""
    workers, balancer = crew.workers, crew.balancer
    for worker in workers:
        await worker.link.start()
    await balancer.start(tuple(worker.bridge.url for worker in workers))
    try:
        first = workers[0].bridge
        # Nothing is to be taken over while chats are being opened, however long the machine stands still.
        first.process.environment[PATIENCE] = "120"
        await first.start()
        yield crew
    finally:
        await end_all(crew.tasks)
        for worker in workers:
            if worker.bridge.process.is_running:
                worker.signal(signal.SIGCONT)
        await asyncio.gather(*(worker.bridge.aclose() for worker in workers))
        for worker in workers:
            worker.link.stop()
        await balancer.stop()
