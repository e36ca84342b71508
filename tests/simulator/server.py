"""The server: listeners, logins, and the loop that reads each connection."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.simulator import noise
from tests.simulator.accounts import Account, Device
from tests.simulator.binary import decode
from tests.simulator.connection import Connection
from tests.simulator.crypto import KeyPair
from tests.simulator.faults import Faults, LoginFailure
from tests.simulator.jids import SERVER
from tests.simulator.media_host import MediaHost
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.proxy import Network, Proxy
from tests.simulator.routing.presence import set_presence
from tests.simulator.routing.stanzas import handle_stanza
from tests.simulator.tls import Authority, make_authority
from tests.simulator.trace import Direction, Trace
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World, now_seconds

if TYPE_CHECKING:
    from tests.simulator.library import LibraryClient


class Simulator:
    """One simulated WhatsApp on loopback."""

    def __init__(self, authority: Authority, workdir: Path) -> None:
        self.world = World()
        self.proxy = Proxy()
        self.authority, self.workdir = authority, workdir
        self.root = KeyPair.generate()
        self.clients: list[LibraryClient] = []
        self._static = KeyPair.generate()
        self._certificate_chain = noise.make_certificate_chain(self.root, self._static.public)
        self._runner: web.AppRunner | None = None

    @classmethod
    def create(cls, workdir: Path) -> Simulator:
        """A simulator whose certificate authority lies in the folder."""
        return cls(make_authority(workdir / "authority"), workdir)

    @property
    def trace(self) -> Trace:
        """The assertion log."""
        return self.world.trace

    @property
    def faults(self) -> Faults:
        """What goes wrong at the moment."""
        return self.world.faults

    @property
    def media(self) -> MediaHost:
        """The media hosts."""
        return self.world.media

    @property
    def proxy_url(self) -> str:
        """The proxy clients have to use."""
        return f"http://127.0.0.1:{self.proxy.port}"

    async def start(self, port: int = 0) -> None:
        """Listen; port is that of the proxy."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_get("/ws/chat", self._serve_socket)
        app.router.add_route("*", "/{tail:.*}", self.world.media.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.authority.server_context())
        await site.start()
        await self.proxy.start(self._runner.addresses[0][1], port)

    async def stop(self) -> None:
        """Close everything."""
        await self.proxy.stop()
        for connection in list(self.world.connections):
            connection.drop()
        await self.world.finish_tasks()
        if self._runner:
            await self._runner.cleanup()

    def add_account(self, number: str, name: str, *, lid: str | None = None) -> Account:
        """Register a phone number."""
        return self.world.add_account(number, name, lid=lid)

    def client(self, name: str, *, database: Path | None = None, is_new: bool = True) -> LibraryClient:
        """A neonize client in this process; see `tests.simulator.library`."""
        # loads the native library only where a test wants it in its own process
        from tests.simulator.library import LibraryClient, prepare_process

        prepare_process(self)
        client = LibraryClient(self, name, database or self.workdir / f"{name}.db", is_new=is_new)
        self.clients.append(client)
        return client

    def launcher_arguments(self) -> list[str]:
        """What the launcher must know to lead a process here."""
        ca = str(self.authority.ca_file)
        return ["--ca", ca, "--proxy", self.proxy_url, "--root", self.root.public.hex()]

    @contextlib.contextmanager
    def network(self, state: Network) -> Iterator[None]:
        """Inside the block the network is away or a black hole."""
        self.proxy.network = state
        try:
            yield
        finally:
            self.proxy.network = Network.UP

    @contextlib.contextmanager
    def failing_logins(self, reason: int, message: str = "", **extra: str) -> Iterator[None]:
        """Inside the block every login is answered with a failure."""
        self.faults.login_failure = LoginFailure(reason=reason, message=message, extra=extra)
        try:
            yield
        finally:
            self.faults.login_failure = None

    def unacknowledged(self, device: Device) -> list[Node]:
        """What the device has not taken responsibility for."""
        return list(device.queue)

    def deliver(self, device: Device, stanza: Node) -> None:
        """Hand any stanza to a device, kept until it is acknowledged."""
        self.world.deliver(device, stanza)

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 24, compress=False)
        await socket.prepare(request)
        noise_server = noise.NoiseServer(self._static, self._certificate_chain)
        connection = Connection(trace=self.trace, noise_server=noise_server, socket=socket, request=request)
        self.world.connections.add(connection)
        self.world.spawn(connection.write_forever())
        try:
            await self._read(connection, socket)
        except ProtocolViolationError as error:
            self.trace.violate(error, peer=connection.name)
        finally:
            self._closed(connection)
        return socket

    async def _read(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        deframer, frames = noise.Deframer(), 0
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                return
            for frame in deframer.feed(message.data):
                await self._on_frame(connection, frame, frames)
                frames += 1

    async def _on_frame(self, connection: Connection, frame: bytes, number: int) -> None:
        if number == 0:
            connection.send_raw(noise.frame(connection.noise.server_hello(frame)))
        elif number == 1:
            connection.static_public, payload = connection.noise.client_finish(frame)
            await self._login(connection, payload)
        else:
            stanza = decode(connection.noise.open(frame))
            self.trace.record(Direction.IN, connection.name, stanza)
            self._handle(connection, stanza)

    def _handle(self, connection: Connection, stanza: Node) -> None:
        try:
            handle_stanza(self.world, connection, stanza)
        except Exception as error:  # noqa: BLE001 - a defect here must fail the test, not hang it
            text = f"{type(error).__name__}: {error}"
            defect = ProtocolViolationError(ViolationKind.SIMULATOR_DEFECT, text, str(stanza))
            self.trace.violate(defect, peer=connection.name, stanza=stanza)
            if stanza.tag == "iq":
                connection.refuse(stanza, 500, "internal-server-error")

    async def _login(self, connection: Connection, payload: Any) -> None:
        failure = self.faults.login_failure
        if failure is not None:
            await connection.say_last(_failure(failure))
        elif payload.HasField("devicePairingData"):
            self._offer_pairing(connection, payload)
        else:
            await self._admit(connection, payload)

    def _offer_pairing(self, connection: Connection, payload: Any) -> None:
        connection.registration = payload
        connection.refs = [base64.b64encode(os.urandom(24)).decode() for _ in range(self.faults.qr_refs)]
        self.world.refs.update(dict.fromkeys(connection.refs, connection))
        attrs: dict[str, AttrValue] = {
            "from": SERVER,
            "type": "set",
            "id": self.world.next_id(),
            "xmlns": "md",
        }
        refs = [node("ref", {}, ref) for ref in connection.refs]
        connection.send(node("iq", attrs, [node("pair-device", {}, refs)]))

    async def _admit(self, connection: Connection, payload: Any) -> None:
        account = self.world.accounts.by_number(str(payload.username))
        device = account.devices.get(payload.device) if account else None
        if device is None or device.noise_public != connection.static_public:
            await connection.say_last(_failure(LoginFailure(reason=401)))
            return
        if device.connection:
            self.world.replaced.append(device.account.pn.user)
            replaced = node("conflict", {"type": "replaced"})
            self.world.spawn(device.connection.stream_error(None, replaced))
        connection.device, device.connection, device.is_active = device, connection, False
        attrs: dict[str, AttrValue] = {
            "t": now_seconds(),
            "props": "27",
            "lid": device.lid,
            "display_name": device.account.name,
            "location": "simulator",
        }
        connection.send(node("success", attrs))

    def _closed(self, connection: Connection) -> None:
        world = self.world
        world.connections.discard(connection)
        connection.forget_waiting()
        connection.stop_writing()
        for ref in connection.refs:
            world.refs.pop(ref, None)
        device = connection.device
        self.trace.pulse()
        if device is None or device.connection is not connection:
            return
        device.connection, device.is_active = None, False
        self.trace.pulse()
        account = device.account
        if account.is_online and not any(d.connection for d in account.devices.values()):
            set_presence(world, account, is_online=False)


def _failure(failure: LoginFailure) -> Node:
    attrs: dict[str, AttrValue] = {
        "reason": failure.reason,
        "message": failure.message,
        "location": "simulator",
        **failure.extra,
    }
    return node("failure", attrs)
