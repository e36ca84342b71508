"""The bridge's end of a host's socket: requests with deadlines, frames in, heartbeats both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.tasks import end_all, spawn
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.folders import socket_address
from mautrix_whatsapp_py.whatsapp.process import peer_pid

log = logging.getLogger(__name__)

_GRACE_SECONDS = 5.0
_HELLO_SECONDS = 20.0


class HostUnreachable(Exception):
    """There is no host behind the socket, or it does not answer."""


class HostSpeaksOtherVersion(Exception):
    """The host is of another version of the bridge; it has been told to end."""


@dataclass(slots=True)
class HostConnection:
    """A live connection. `lost` is set when it ended, for whatever reason."""

    channel: wire.Channel[wire.FromHost]
    hello: wire.Hello
    pid: int
    on_frame: Callable[[wire.FromHost], None]
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    _next_id: int = 0
    _waiting: dict[int, asyncio.Future[wire.Result]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self) -> None:
        """Begin to read and to beat."""
        spawn(self._read(), name=f"host-{self.hello.name}", tasks=self._tasks)
        spawn(self._beat(), name=f"beat-{self.hello.name}", tasks=self._tasks)

    def put(self, frame: WaStruct) -> None:
        """Queue a frame; dropped when the connection is gone."""
        if not self.lost.is_set() and not self.channel.is_closing:
            self.channel.put(frame)

    async def request(self, call: wire.Call, *, deadline_seconds: float) -> wire.Result:
        """Have the host do something; a WhatsAppError says why it did not."""
        if self.lost.is_set():
            raise WhatsAppUnavailable(code="host-lost")
        self._next_id += 1
        identity = self._next_id
        future: asyncio.Future[wire.Result] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = future
        try:
            self.put(wire.Request(id=identity, deadline_seconds=deadline_seconds, call=call))
            async with asyncio.timeout(deadline_seconds + _GRACE_SECONDS):
                return await future
        except TimeoutError as error:
            raise WhatsAppUncertain(code="timeout") from error
        finally:
            self._waiting.pop(identity, None)

    async def close(self) -> None:
        """End the connection; the host lives on."""
        self._lose()
        await end_all(self._tasks)
        await self.channel.close()

    async def _read(self) -> None:
        try:
            while (frame := await self.channel.receive(timeout_seconds=wire.SILENCE_SECONDS)) is not None:
                self._take(frame)
        except (OSError, TimeoutError, wire.WireError) as error:
            log.warning("connection to session host %s ended: %s", self.hello.name, type(error).__name__)
        finally:
            self._lose()

    def _take(self, frame: wire.FromHost) -> None:
        match frame:
            case wire.Reply():
                future = self._waiting.get(frame.id)
                if future is not None and not future.done():
                    future.set_result(frame.result)
            case wire.Refusal():
                future = self._waiting.get(frame.id)
                if future is not None and not future.done():
                    future.set_exception(_error_of(frame))
            case wire.LogLine():
                logging.getLogger(frame.logger).log(frame.level, "[%s] %s", self.hello.name, frame.text)
            case _:
                self.on_frame(frame)

    async def _beat(self) -> None:
        while not self.lost.is_set():
            self.put(wire.Heartbeat())
            await asyncio.sleep(wire.HEARTBEAT_SECONDS)

    def _lose(self) -> None:
        self.lost.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WhatsAppUncertain(code="host-lost"))


def _error_of(refusal: wire.Refusal) -> Exception:
    if not refusal.is_certain:
        return WhatsAppUncertain(code=refusal.code)
    if refusal.is_final:
        return WhatsAppRefused(code=refusal.code)
    return WhatsAppUnavailable(code=refusal.code)


async def connect_host(path: Path, name: str, on_frame: Callable[[wire.FromHost], None]) -> HostConnection:
    """Attach to the host behind a socket; it starts telling us where it stands when `start` is called."""
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            with socket_address(path) as address:
                reader, writer = await asyncio.open_unix_connection(address)
    except (OSError, TimeoutError) as error:
        raise HostUnreachable from error
    channel = wire.bridge_channel(reader, writer)
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            hello = await _greet(channel, name)
    except BaseException as error:
        await channel.close()
        if isinstance(error, OSError | TimeoutError | wire.WireError):
            raise HostUnreachable from error
        raise
    pid = peer_pid(writer.get_extra_info("socket")) or hello.pid
    return HostConnection(channel=channel, hello=hello, pid=pid, on_frame=on_frame)


async def _greet(channel: wire.Channel[wire.FromHost], name: str) -> wire.Hello:
    hello = await channel.receive(timeout_seconds=_HELLO_SECONDS)
    if not isinstance(hello, wire.Hello):
        raise HostUnreachable
    if hello.version != wire.VERSION:
        await channel.send(wire.Shutdown())
        raise HostSpeaksOtherVersion
    await channel.send(wire.Hello(version=wire.VERSION, name=name))
    return hello
