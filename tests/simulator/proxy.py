"""The proxy every client goes through, by CONNECT or SOCKS 5, which is also the network that fails."""

from __future__ import annotations

import asyncio
import enum
from typing import Final

_CHUNK_BYTES: Final = 65536
_SOCKS: Final = b"\x05"
_SOCKS_WELCOME: Final = b"\x05\0\0\x01" + bytes(6)


class Network(enum.Enum):
    """What the network between client and server does."""

    UP = "forwards"
    AWAY = "refuses connections"
    BLACK_HOLE = "accepts and swallows everything"


class Proxy:
    """Splices every CONNECT to the simulator's TLS listener, whatever host was asked for."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self._target_port = 0
        self._network = Network.UP
        self._is_flowing = asyncio.Event()
        self._is_flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port clients connect to."""
        if self._server is None:
            raise RuntimeError("the proxy is not running")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def network(self) -> Network:
        """The state of the network."""
        return self._network

    @network.setter
    def network(self, state: Network) -> None:
        self._network = state
        if state is Network.BLACK_HOLE:
            self._is_flowing.clear()
            return
        self._is_flowing.set()
        if state is Network.AWAY:
            self.drop_all()

    async def start(self, target_port: int, port: int = 0) -> None:
        """Listen on loopback."""
        self._target_port = target_port
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        self.drop_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop_all(self) -> None:
        """Abort every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._network is Network.AWAY:
            return
        first = await reader.readexactly(1)
        if first == _SOCKS:
            target, welcome = await self._greet(reader, writer), _SOCKS_WELCOME
        else:
            head = first + await reader.readuntil(b"\r\n\r\n")
            method, asked, _ = head.split(b"\r\n")[0].split(b" ")
            target, welcome = asked.decode(), b"HTTP/1.1 200 OK\r\n\r\n"
            if method != b"CONNECT":
                writer.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
                await writer.drain()
                return
        self.targets.append(target)
        await self._is_flowing.wait()
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers.add(server_writer)
        try:
            writer.write(welcome)
            await asyncio.gather(self._pump(reader, server_writer), self._pump(server_reader, writer))
        finally:
            self._writers.discard(server_writer)
            server_writer.transport.abort()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """The host and port that a SOCKS client wants, who must leave the looking up of names to us."""
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(_SOCKS + b"\0")
        _version, command, _reserved, kind, length = await reader.readexactly(5)
        if (command, kind) != (1, 3):
            raise ConnectionAbortedError("not a connection to a named host")
        host = await reader.readexactly(length)
        return f"{host.decode()}:{int.from_bytes(await reader.readexactly(2), 'big')}"

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                await self._is_flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
