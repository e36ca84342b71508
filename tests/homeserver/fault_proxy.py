"""A TCP proxy whose faults are set while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from enum import Enum
from typing import assert_never

CHUNK_BYTES = 65_536


class Fault(Enum):
    """What happens to connections."""

    REFUSE = "nobody listens"
    RESET = "accepted, then reset"
    BLACKHOLE = "accepted, then silence"


class FaultProxy:
    """Listens on 127.0.0.1 and forwards to a port there, or does not."""

    def __init__(self, target_port: int, *, port: int = 0) -> None:
        self.port = port
        self.delay_seconds = 0.0
        self.cut_response_after_bytes: int | None = None
        self.connections = 0
        self._target_port = target_port
        self._fault: Fault | None = None
        self._server: asyncio.Server | None = None
        self._live: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address that goes through the proxy."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> FaultProxy:
        """Listen; the port stays the same over faults."""
        await self._listen()
        return self

    async def stop(self) -> None:
        """Reset all connections and stop listening."""
        await self._close_listener()
        self.reset_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def set_fault(self, fault: Fault | None) -> None:
        """From now on; a new fault also ends or silences the connections there are."""
        self._fault = fault
        match fault:
            case Fault.REFUSE:
                await self._close_listener()
                self.reset_all()
            case Fault.RESET:
                await self._listen()
                self.reset_all()
            case Fault.BLACKHOLE:
                await self._listen()
            case None:
                # What sat in the black hole is lost, as after a firewall's reboot.
                self.reset_all()
                await self._listen()
            case _:
                assert_never(fault)

    def reset_all(self) -> None:
        """Reset every connection there is."""
        for writer in list(self._live):
            _reset(writer)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close_listener(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self._live.add(writer)
        try:
            await self._serve(reader, writer)
        except OSError:
            _reset(writer)
        except asyncio.CancelledError:
            # Only `stop` cancels; asyncio would log the cancellation of a connection as an error.
            _reset(writer)
        finally:
            self._live.discard(writer)
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.RESET:
            _reset(writer)
            return
        if self._fault is Fault.BLACKHOLE:
            await writer.wait_closed()
            return
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._live.add(target_writer)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, target_writer))
                group.create_task(self._forward_response(target_reader, writer, target_writer))
        except* OSError:
            _reset(writer)
        finally:
            self._live.discard(target_writer)
            _reset(target_writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._pass(data, writer)
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _forward_response(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: asyncio.StreamWriter
    ) -> None:
        passed = 0
        while data := await reader.read(CHUNK_BYTES):
            passed += len(data)
            if self.cut_response_after_bytes is not None and passed >= self.cut_response_after_bytes:
                # The server did its work; the client never hears of it.
                _reset(writer)
                _reset(target)
                return
            await self._pass(data, writer)
        writer.close()

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.BLACKHOLE:
            await writer.wait_closed()
            return
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        writer.write(data)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
