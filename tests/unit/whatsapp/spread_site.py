"""Workers with scripted hosts, on a database in memory."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mautrix_whatsapp_py.errors import StoreUnavailable, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.whatsapp.network import Network
from mautrix_whatsapp_py.whatsapp.options import NetworkOptions
from mautrix_whatsapp_py.whatsapp.spread import letters
from mautrix_whatsapp_py.whatsapp.spread.berths import SpreadBerths
from mautrix_whatsapp_py.whatsapp.spread.keeper import Keeper
from mautrix_whatsapp_py.whatsapp.spread.shares import Self, Shares
from mautrix_whatsapp_py.whatsapp.spread.worker_end import WorkerEnd
from tests.unit.whatsapp.test_network import Sink
from tests.workers.peers import Peer

DEADLINE_SECONDS = 30


@dataclass(slots=True)
class Row:
    holder: str = ""
    epoch: int = 0
    is_wanted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Implements Claimed."""

    login: LoginId
    epoch: int
    former: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Implements Letter."""

    sender: str
    body: bytes


@dataclass(slots=True)
class Database:
    """Implements LeaderBook, ShareBook and the post."""

    peers: dict[str, Peer] = field(default_factory=dict)
    rows: dict[LoginId, Row] = field(default_factory=dict)
    readers: dict[str, Callable[[str, letters.Cover], None]] = field(default_factory=dict)
    lost: int = 0
    """So many letters vanish."""
    is_away: bool = False

    async def get_peers(self) -> Sequence[Peer]:
        self._require()
        return list(self.peers.values())

    async def get_free(self) -> Sequence[LoginId]:
        return [login for login, row in self.rows.items() if row.is_wanted and row.holder not in self.peers]

    async def get_unwanted(self, holder: str) -> Sequence[LoginId]:
        return [login for login, row in self.rows.items() if row.holder == holder and not row.is_wanted]

    async def claim(self, logins: Sequence[LoginId], *, holder: str, lease: str) -> Sequence[Taken]:
        found = []
        for login in set(logins) & set(await self.get_free()):
            row, former = self.rows[login], self.rows[login].holder
            row.holder, row.epoch = holder, row.epoch + 1
            found.append(Taken(login=login, epoch=row.epoch, former=former))
        return found

    async def release(self, login: LoginId, *, holder: str, epoch: int) -> None:
        self._require()
        row = self.rows[login]
        if (row.holder, row.epoch) == (holder, epoch):
            row.holder = ""

    async def want(self, logins: Sequence[LoginId]) -> None:
        for login in logins:
            self.rows.setdefault(login, Row()).is_wanted = True

    async def want_no_more(self, login: LoginId) -> None:
        self.rows[login].is_wanted = False

    async def is_held(self, login: LoginId) -> bool:
        return self.rows[login].holder in self.peers

    def sender(self, name: str) -> letters.Send:
        async def send(recipient: str, bodies: Sequence[bytes]) -> bool:
            self._require()
            for body in bodies:
                cover = letters.decode(body)
                assert cover is not None
                if self.lost:
                    self.lost -= 1
                elif (read := self.readers.get(recipient + (" down" if cover.is_down else " up"))) is not None:
                    read(name, cover)
            return True

        return send

    def holders(self) -> dict[str, int]:
        return dict(Counter(row.holder for row in self.rows.values()))

    def _require(self) -> None:
        if self.is_away:
            raise StoreUnavailable


@dataclass(slots=True)
class Worker:
    """One process, as far as sessions go."""

    name: str
    keeper: Keeper
    shares: Shares
    end: WorkerEnd
    tasks: list[asyncio.Task[None]]


@dataclass(slots=True)
class Site:
    """All of them."""

    folder: Path
    database: Database = field(default_factory=Database)
    workers: dict[str, Worker] = field(default_factory=dict)
    silenced: list[str] = field(default_factory=list)
    now: float = 0.0

    def options(self, name: str) -> NetworkOptions:
        return NetworkOptions(
            folder=self.folder / name,
            host_command=(sys.executable, "-m", "tests.unit.whatsapp.fake_host"),
            restart_first_seconds=0.01,
            restart_cap_seconds=0.05,
            keeps_links_on_stop=False,
            host_start_seconds=10.0,
        )

    async def join(self, name: str) -> Worker:
        async def silence(former: str) -> None:
            self.silenced.append(former)

        async def soon() -> None:
            await asyncio.sleep(0.02)

        keeper = Keeper(self.options(name))
        await keeper.start()
        me = Self(holder=name, lease=f"worker {name}", settled_seconds=1)
        shares = Shares(self.database, keeper, me, silence=silence)
        end = WorkerEnd(
            keeper, self.database.sender(name), files=self.folder / name / "handed", now=lambda: self.now
        )
        self.database.peers[name] = Peer(name=name)
        self.database.readers[f"{name} down"] = end.on_letter
        tasks = [asyncio.create_task(end.run()), asyncio.create_task(shares.run(soon))]
        self.workers[name] = Worker(name=name, keeper=keeper, shares=shares, end=end, tasks=tasks)
        return self.workers[name]

    async def leave(self, name: str, *, in_order: bool = True) -> None:
        worker = self.workers.pop(name)
        for task in worker.tasks:
            task.cancel()
        await asyncio.gather(*worker.tasks, return_exceptions=True)
        if in_order:
            await worker.shares.stop()
        self.database.peers.pop(name)
        worker.end.end()
        await worker.keeper.stop()

    @asynccontextmanager
    async def leading(self, name: str, logins: Sequence[LoginId], *, epoch: int = 1) -> AsyncIterator[Lead]:
        sink = Sink()
        made: list[SpreadBerths] = []

        def make(listener: object) -> SpreadBerths:
            made.append(
                SpreadBerths(
                    listener,  # type: ignore[arg-type]
                    self.database,
                    self.workers[name].keeper,
                    self.database.sender(name),
                    holder=name,
                    epoch=epoch,
                    now=lambda: self.now,
                )
            )
            return made[0]

        network = Network(replace(self.options(name), folder=self.folder / f"{name} leads"), sink, None, make)
        self.database.readers[f"{name} up"] = made[0].on_letter
        await network.start()
        await network.berths.place(logins)
        for login in logins:
            network._ensure_client(login)
        try:
            yield Lead(network=network, sink=sink)
        finally:
            await network.stop()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                await asyncio.sleep(0.02)  # hosts are processes of their own


@dataclass(slots=True)
class Lead:
    network: Network
    sink: Sink

    async def ask(self, login: LoginId) -> None:
        """Have the host of a login do something, as soon as it can be reached."""
        client = self.network.get_client(login)
        assert client is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                with suppress(WhatsAppUnavailable, WhatsAppUncertain):
                    return await client.send_presence(is_available=True)
                await asyncio.sleep(0.02)  # hosts are processes of their own
