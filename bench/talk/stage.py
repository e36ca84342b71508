"""A homeserver, a bridge with one linked account, and people who write to each other in 20 chats."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aiohttp

from bench.talk.homeserver import Ledger, Sender, Watcher
from bench.talk.processes import Usage, look
from tests.flow.linking_stage import Seat
from tests.homeserver import BridgeProcess, MatrixClient, PortPool, Registration, Synapse
from tests.homeserver.hosts import host_pids
from tests.simulator.api import Account, Simulator, host_command, simulator

CHATS = 20
WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A person on WhatsApp, and the room alice has with them."""

    person: Account
    room: str
    ghost: str


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything there is."""

    wa: Simulator
    synapse: Synapse
    bridge: BridgeProcess
    registration: Registration
    http: aiohttp.ClientSession
    alice: MatrixClient
    own: Account
    management: str
    """The room where alice gives commands."""
    chats: tuple[Chat, ...] = ()

    @property
    def ledger(self) -> Ledger:
        """What the homeserver's database says."""
        return Ledger(self.synapse.folder / "homeserver.db")

    def bare(self, chat: Chat) -> Sender:
        """Sends into a chat exactly as the bridge does, and nothing more."""
        return Sender(http=self.http, url=self.synapse.url, token=self.registration.as_token, user=chat.ghost)

    def client(self) -> Sender:
        """Sends as alice's client does."""
        return Sender(http=self.http, url=self.synapse.url, token=self.alice.access_token)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Watcher]:
        """With a client of alice's looking at all rooms."""
        watcher = Watcher(http=self.http, url=self.synapse.url, token=self.alice.access_token)
        ready = asyncio.Event()
        task = asyncio.create_task(watcher.watch(ready))
        try:
            await asyncio.wait({task, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            yield watcher
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def usage(self) -> Usage:
        """What bridge and host have used so far."""
        return look(self.bridge.process.pid, host_pids(self.bridge.folder))

    async def until_linked(self) -> None:
        """Wait until the account's socket is up."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not any(device.connection for device in self.own.devices.values()):  # noqa: ASYNC110 no event says so
                await asyncio.sleep(0.05)

    async def restart_bridge(self) -> None:
        """Stop the bridge and its host, then start both."""
        await self.bridge.stop()
        await self.bridge.start()
        await self.until_linked()


@asynccontextmanager
async def stage(
    folder: Path,
    prepare: Callable[[Simulator, Account], Awaitable[None]] | None = None,
    *,
    max_upload: str = "",
    more: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
) -> AsyncIterator[Stage]:
    """Everything set up, alice linked and nobody talking yet; `prepare` her account before it is linked.

    Files may be of a size, if one is given; `more` are sections of the configuration.
    """
    async with AsyncExitStack() as stack:
        wa = await stack.enter_async_context(simulator(folder / "wa"))
        ports = PortPool()
        stack.callback(ports.release)
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        overrides = {"max_upload_size": max_upload} if max_upload else {}
        synapse = Synapse(
            folder / "synapse", port=ports.reserve(), registrations=[registration], overrides=overrides
        )
        stack.push_async_callback(synapse.aclose)
        await synapse.start()
        sections: dict[str, dict[str, object]] = {"whatsapp": {"host_command": list(host_command(wa))}}
        if max_upload:
            os.environ["SSL_CERT_FILE"] = str(wa.authority.ca_file)
            sections["network"] = {"proxy": wa.proxy_url}
        bridge = BridgeProcess(
            folder / "bridge",
            homeserver_url=synapse.url,
            registration=registration,
            port=port,
            sections={**sections, **more},
        )
        stack.push_async_callback(bridge.aclose)
        await bridge.start()
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        alice = await synapse.create_client("alice")
        own = wa.add_account("15550000001", "Alice")
        if prepare is not None:
            await prepare(wa, own)
        seat = await Seat.take(alice, bridge)
        await seat.scan(own)
        await seat.until_connected()
        yield Stage(
            wa=wa,
            synapse=synapse,
            bridge=bridge,
            registration=registration,
            http=http,
            alice=alice,
            own=own,
            management=seat.room,
        )


async def open_chats(it: Stage, count: int = CHATS) -> None:
    """Have so many people write to alice, who comes into each room; her syncing ends with it."""
    opened: list[Chat] = []
    for number in range(count):
        person = it.wa.add_account(f"1555100{number:04}", f"Person {number}")
        mark = it.alice.mark()
        await person.phone.text(it.own.pn, "hello")
        invite = await it.alice.wait_for_invite(after=mark, deadline_seconds=WAIT_SECONDS)
        await it.alice.join(invite.room_id)
        hello = await it.alice.wait_for_message(invite.room_id, contains="hello", deadline_seconds=WAIT_SECONDS)
        opened.append(Chat(person=person, room=invite.room_id, ghost=hello.sender))
    it.chats = tuple(opened)
    await it.alice.aclose()


def cores() -> int:
    """Processors of this machine."""
    return os.cpu_count() or 1
