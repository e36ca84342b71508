"""The host's end of the socket: one bridge at a time, requests in, events out."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_link import WaHostStats
from mautrix_whatsapp_py.tasks import spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.folders import PRIVATE_FILE, socket_address
from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed

log = logging.getLogger(__name__)


@dataclass(slots=True)
class BridgeOutlet:
    """The attached bridge, or nobody."""

    channel: wire.Channel[wire.FromBridge] | None = None
    attachments: int = 0

    @property
    def epoch(self) -> int:
        """See Outlet."""
        return self.attachments if self.channel is not None else 0

    def put(self, frame: WaStruct) -> None:
        """See Outlet."""
        if self.channel is not None and not self.channel.is_closing:
            self.channel.put(frame)

    async def drain(self) -> None:
        """See Outlet."""
        if self.channel is None:
            return
        try:
            async with asyncio.timeout(wire.SILENCE_SECONDS):
                await self.channel.drain()
        except (OSError, TimeoutError):
            return  # The reader of this connection notices and detaches it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What the server does with what it is told."""

    run: Callable[[wire.Call], Awaitable[wire.Result]]
    on_ack: Callable[[wire.Ack], None]
    on_attached: Callable[[], None]
    on_detached: Callable[[], None]
    on_shutdown: Callable[[], None]
    on_lease: Callable[[float], None]
    get_logins: Callable[[], tuple[LoginId, ...]]
    get_stats: Callable[[], WaHostStats]


@dataclass(slots=True)
class HostServer:
    """Listens on the host's socket. A new bridge takes the place of an old one; its lock allows only one."""

    name: str
    outlet: BridgeOutlet
    handlers: Handlers
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, path: Path) -> None:
        """Listen; the socket appears under its name only when it answers."""
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket_address(unfinished) as address:
            listener.bind(address)
        unfinished.chmod(PRIVATE_FILE)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)
        unfinished.rename(path)

    async def stop(self) -> None:
        """Let the bridge go."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self.outlet.channel is not None:
            await self.outlet.channel.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = wire.host_channel(reader, writer)
        try:
            await channel.send(
                wire.Hello(
                    version=wire.VERSION, name=self.name, pid=os.getpid(), logins=self.handlers.get_logins()
                )
            )
            hello = await channel.receive(timeout_seconds=wire.SILENCE_SECONDS)
            if isinstance(hello, wire.Shutdown):
                self.handlers.on_shutdown()
            elif isinstance(hello, wire.Hello) and hello.version == wire.VERSION:
                await self._attend(channel)
        except (OSError, TimeoutError, wire.WireError) as error:
            log.warning("connection of a bridge ended: %s", type(error).__name__)
        finally:
            self._detach(channel)
            await channel.close()

    async def _attend(self, channel: wire.Channel[wire.FromBridge]) -> None:
        if self.outlet.channel is not None:
            await self.outlet.channel.close()
        self.outlet.channel = channel
        self.outlet.attachments += 1
        self.handlers.on_attached()
        spawn(self._beat(channel), name="heartbeat", tasks=self._tasks)
        while (frame := await channel.receive(timeout_seconds=wire.SILENCE_SECONDS)) is not None:
            match frame:
                case wire.Ack():
                    self.handlers.on_ack(frame)
                case wire.Request():
                    spawn(self._answer(channel, frame), name="request", tasks=self._tasks)
                case wire.Shutdown():
                    self.handlers.on_shutdown()
                case wire.LeaseHeld():
                    self.handlers.on_lease(frame.until)
                case wire.Hello() | wire.Heartbeat():
                    continue

    def _detach(self, channel: wire.Channel[wire.FromBridge]) -> None:
        if self.outlet.channel is channel:
            self.outlet.channel = None
            self.handlers.on_detached()

    async def _beat(self, channel: wire.Channel[wire.FromBridge]) -> None:
        while not channel.is_closing:
            stats = await asyncio.get_running_loop().run_in_executor(None, self.handlers.get_stats)
            channel.put(wire.Heartbeat(stats=stats))
            await asyncio.sleep(wire.HEARTBEAT_SECONDS)

    async def _answer(self, channel: wire.Channel[wire.FromBridge], request: wire.Request) -> None:
        answer = await self._carry_out(request)
        if channel.is_closing:
            return
        try:
            await channel.send(answer)
        except OSError:
            return  # The bridge asks again after it reconnected.

    async def _carry_out(self, request: wire.Request) -> wire.Reply | wire.Refusal:
        try:
            async with asyncio.timeout(request.deadline_seconds):
                result = await self.handlers.run(request.call)
        except CallFailed as error:
            return wire.Refusal(
                id=request.id, code=error.code, is_certain=error.is_certain, is_final=error.is_final
            )
        except TimeoutError:
            return wire.Refusal(id=request.id, code="timeout", is_certain=False)
        except Exception as error:
            log.exception("a request of kind %s failed", type(request.call).__name__)
            return wire.Refusal(id=request.id, code=type(error).__name__, is_certain=False)
        return wire.Reply(id=request.id, result=result)
