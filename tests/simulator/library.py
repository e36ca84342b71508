"""The unmodified neonize client in the test's own process.

Only tests of the simulator itself use this; all others run the library in session hosts through the launcher.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import logging
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neonize._binder import ProxySettings
from neonize.aioze import events as library_events
from neonize.aioze.client import NewAClient
from neonize.events import INT_TO_EVENT

from tests.simulator.accounts import Account, Device
from tests.simulator.patch import loaded_library
from tests.simulator.tls import Authority, make_authority

if TYPE_CHECKING:
    from tests.simulator.server import Simulator

_KEY_ONLY = {"senderKeyDistributionMessage", "messageContextInfo"}


@functools.cache
def process_authority() -> Authority:
    """The one authority of this process: Go loads its TLS roots once."""
    authority = make_authority(Path(tempfile.mkdtemp(prefix="whatsapp-simulator-")))
    loaded_library().trust_authority(authority.ca_file)
    return authority


@functools.cache
def _kept_clients() -> list[Any]:
    # the native core may call back into a client long after its end; collecting it would crash the process
    return []


def _quieten() -> None:
    # at its default level the library formats every stanza for its log
    logging.getLogger("neonize.utils.log").setLevel(logging.WARNING)
    logging.getLogger("whatsmeow").setLevel(logging.WARNING)


def prepare_process(simulator: Simulator) -> None:
    """Point the library of this process at the simulator and at the running loop."""
    if simulator.authority != process_authority():
        raise RuntimeError("in-process clients need the authority of the process")
    loaded_library().trust_root_key(simulator.root.public)
    _quieten()
    # the binding keeps the first loop it ever saw
    library_events.event_global_loop = None
    loop = asyncio.get_running_loop()
    if not any(client.is_started for client in simulator.clients):
        loop.set_default_executor(_DaemonExecutor())


class _DaemonExecutor(ThreadPoolExecutor):
    """A daemon thread per call: each session parks one, and some never return."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - carried to whoever waits for the future
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Daemon threads need no end."""


class _Client(NewAClient):  # type: ignore[misc]
    """The library's client with its private login status made visible."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_status: Callable[[str], object] | None = None

    def _NewAClient__onLoginStatus(self, _uuid: int, status: int) -> None:  # noqa: N802 - overrides a mangled name
        text = ctypes.string_at(status).decode()
        if self.on_status:
            self.on_status(text)


class LibraryClient:
    """One neonize client and the events it gave."""

    def __init__(self, simulator: Simulator, name: str, database: Path, *, is_new: bool) -> None:
        self.name, self.database = name, database
        self.qr_codes: asyncio.Queue[str] = asyncio.Queue()
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.history: list[Any] = []
        self.statuses: asyncio.Queue[str] = asyncio.Queue()
        self.task: asyncio.Task[Any] | None = None
        self._simulator = simulator
        self._loop = asyncio.get_running_loop()
        self.api: Any = _Client(str(database), uuid=f"{name}-{id(self)}")
        _kept_clients().append(self.api)
        # collecting an old client stops whoever owns its name by then
        self.api._stop_finalizer.detach()
        self.api.on_status = lambda text: self._loop.call_soon_threadsafe(self.statuses.put_nowait, text)
        self._subscribe()

    @property
    def is_started(self) -> bool:
        """True once connect was called."""
        return self.task is not None

    async def connect(self) -> None:
        """Start the session; events say what becomes of it."""
        self.task = await self.api.connect(ProxySettings(self._simulator.proxy_url))

    async def stop(self) -> None:
        """End the session."""
        if self.task is not None:
            task, self.task = self.task, None
            await self.api.stop()
            task.cancel()
            await asyncio.wait([task], timeout=1)

    async def pair(self, account: Account) -> Device:
        """Connect, show a QR code and have the account's phone scan it."""
        await self.connect()
        device = await account.phone.scan(await self.qr_code())
        await self.wait(library_events.ConnectedEv)
        return device

    async def qr_code(self, timeout_seconds: float = 10) -> str:
        """The next QR code the client shows."""
        async with asyncio.timeout(timeout_seconds):
            return await self.qr_codes.get()

    async def wait(
        self, kind: Any, matches: Callable[[Any], bool] = lambda _: True, timeout_seconds: float = 10
    ) -> Any:
        """The next event of this type that matches; earlier ones are dropped."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                event = await self.events.get()
                if isinstance(event, kind) and matches(event):
                    return event

    async def message(self, timeout_seconds: float = 10) -> Any:
        """The next real message; bare sender keys and protocol shares are passed over."""
        return await self.wait(library_events.MessageEv, _is_real_message, timeout_seconds)

    def _subscribe(self) -> None:
        @self.api.event.qr  # type: ignore[untyped-decorator]
        async def on_qr(_client: Any, data: bytes) -> None:
            self.qr_codes.put_nowait(data.decode())

        for kind in {INT_TO_EVENT[code] for code in INT_TO_EVENT if code not in _UNSUBSCRIBED}:
            self.api.event(kind)(self._remember)

    async def _remember(self, _client: Any, event: Any) -> None:
        self.history.append(event)
        self.events.put_nowait(event)


# the QR event and the codes the binding reserves
_UNSUBSCRIBED = (1, 28, 29)


def _is_real_message(event: Any) -> bool:
    names = {field.name for field, _ in event.Message.ListFields()}
    is_share = event.Message.protocolMessage.type in (6, 7) and "protocolMessage" in names
    return not names <= _KEY_ONLY and not is_share
