"""One client connection: Noise transport, outgoing order, requests to the client."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientConnectionError, web

from tests.simulator import noise
from tests.simulator.binary import encode
from tests.simulator.jids import SERVER
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.trace import Direction, Trace
from tests.simulator.violations import ProtocolViolationError, ViolationKind

if TYPE_CHECKING:
    from tests.simulator.accounts import Account, Device

# the client drops a queued <failure> or <stream:error> when the socket closes right behind it
_LINGER_SECONDS: Final = 0.05


class ConnectionGoneError(Exception):
    """The client went away before it answered."""


class LinkCode:
    """The state of a pairing by code on this connection."""

    def __init__(self, account: Account, ref: str, hello: Node) -> None:
        self.account, self.ref, self.hello = account, ref, hello
        self.finished: asyncio.Future[Node] = asyncio.get_running_loop().create_future()


class Connection:
    """Sends in order without ever making the sender wait; a stalled client stalls only itself."""

    def __init__(
        self,
        *,
        trace: Trace,
        noise_server: noise.NoiseServer,
        socket: web.WebSocketResponse,
        request: web.Request,
    ) -> None:
        self.noise = noise_server
        self.static_public = b""
        self.device: Device | None = None
        self.registration: Any = None
        self.refs: list[str] = []
        self.link_code: LinkCode | None = None
        self._trace, self._socket, self._request = trace, socket, request
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[Node]] = {}
        self._next_request = 0

    @property
    def name(self) -> str:
        """Who is on the other side, for the log."""
        return str(self.device.pn) if self.device else "unpaired"

    @property
    def linked(self) -> Device:
        """The device that logged in here; a violation before that."""
        if self.device is None:
            raise ProtocolViolationError(ViolationKind.UNKNOWN_REQUEST, "request before login")
        return self.device

    def send(self, stanza: Node) -> None:
        """Queue a stanza for the client."""
        self._trace.record(Direction.OUT, self.name, stanza)
        self._outgoing.put_nowait(noise.frame(self.noise.seal(encode(stanza))))

    def send_raw(self, frame: bytes) -> None:
        """Queue bytes of the handshake, or deliberate nonsense."""
        self._outgoing.put_nowait(frame)

    def reply(self, iq: Node, *children: Node, **attrs: AttrValue) -> None:
        """Answer a request."""
        head: dict[str, AttrValue] = {"from": SERVER, "type": "result", "id": iq.get("id"), **attrs}
        self.send(node("iq", head, children or None))

    def refuse(self, iq: Node, code: int, text: str) -> None:
        """Answer a request with an error."""
        child = node("error", {"code": code, "text": text})
        self.send(node("iq", {"from": SERVER, "type": "error", "id": iq.get("id")}, [child]))

    async def request(self, xmlns: str, child: Node, timeout_seconds: float = 20) -> Node:
        """Ask the client something and return its answer."""
        self._next_request += 1
        request_id = f"server-{id(self)}-{self._next_request}"
        answer: asyncio.Future[Node] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        head: dict[str, AttrValue] = {"from": SERVER, "type": "set", "xmlns": xmlns, "id": request_id}
        head["t"] = int(time.time())
        self.send(node("iq", head, [child]))
        async with asyncio.timeout(timeout_seconds):
            return await answer

    def resolve(self, answer: Node) -> None:
        """Hand a client's answer to whoever asked."""
        waiting = self._waiting.pop(answer.get_text("id") or "", None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def say_last(self, stanza: Node) -> None:
        """Send a stanza and close the socket behind it."""
        self.send(stanza)
        await self._outgoing.join()
        await asyncio.sleep(_LINGER_SECONDS)
        await self._socket.close()

    async def stream_error(self, code: str | None, *children: Node) -> None:
        """End the stream with an error."""
        await self.say_last(node("stream:error", {"code": code}, children or None))

    def drop(self) -> None:
        """Abort the TCP connection without any goodbye."""
        if self._request.transport:
            self._request.transport.abort()

    def forget_waiting(self) -> None:
        """The connection is gone: nobody will answer any more."""
        for waiting in self._waiting.values():
            _fail(waiting)
        if self.link_code:
            _fail(self.link_code.finished)

    def stop_writing(self) -> None:
        """Let the writer end behind what is queued."""
        self._outgoing.put_nowait(None)

    async def write_forever(self) -> None:
        """Move queued frames to the socket; frames for a socket that is gone are dropped."""
        while (frame := await self._outgoing.get()) is not None:
            with contextlib.suppress(ConnectionError, ClientConnectionError):
                if not self._socket.closed:
                    await self._socket.send_bytes(frame)
            self._outgoing.task_done()
        self._outgoing.task_done()


def _fail(waiting: asyncio.Future[Node]) -> None:
    if not waiting.done():
        waiting.set_exception(ConnectionGoneError())
        # nobody may be waiting for it
        waiting.exception()
