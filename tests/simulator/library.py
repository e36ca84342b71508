"""The unmodified neonize client in the test's own process.

Only tests of the simulator itself use this; all others run the library in session hosts through the launcher.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import functools
import logging
import shutil
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
    folder = Path(tempfile.mkdtemp(prefix="whatsapp-simulator-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = make_authority(folder)
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
    """The library's client with callbacks a closed loop cannot hurt; its own leave coroutines behind."""

    def __init__(self, database: str, name: str, owner: LibraryClient) -> None:
        super().__init__(database, uuid=name)
        self._owner = owner
        # collecting an old client would stop whoever owns its name by then
        self._stop_finalizer.detach()
        self.event.list_func = {code: None for code in INT_TO_EVENT if code not in _UNSUBSCRIBED}
        self.event.execute = self._on_event

    def _on_event(self, _uuid: int, data: int, size: int, code: int) -> None:
        event = INT_TO_EVENT[code].FromString(ctypes.string_at(data, size))
        if code == 0:
            self.me = event
        else:
            self._owner.post(self._owner.remember, event)

    def _NewAClient__onQr(self, _uuid: int, data: int) -> None:  # noqa: N802 - overrides a mangled name
        self._owner.post(self._owner.qr_codes.put_nowait, ctypes.string_at(data).decode())

    def _NewAClient__onLoginStatus(self, _uuid: int, status: int) -> None:  # noqa: N802 - mangled, too
        self._owner.post(self._owner.statuses.put_nowait, ctypes.string_at(status).decode())


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
        self.api: Any = _Client(f"{database}{_SQLITE_OPTIONS}", f"{name}-{id(self)}", self)
        _kept_clients().append(self.api)

    @property
    def is_started(self) -> bool:
        """True once connect was called."""
        return self.task is not None

    async def connect(self) -> None:
        """Start the session; events say what becomes of it."""
        self.task = await self.api.connect(ProxySettings(self._simulator.proxy_url))

    async def stop(self) -> None:
        """End the session."""
        if self.task is None:
            return
        task, self.task = self.task, None
        await self.api.stop()
        # a session that was never linked does not return from the native core
        await asyncio.wait([task], timeout=_STOP_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

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

    def remember(self, event: Any) -> None:
        """Keep an event for `wait` and for the history."""
        self.history.append(event)
        self.events.put_nowait(event)

    def post(self, callback: Callable[[Any], object], value: Any) -> None:
        """Call something on the loop from a native thread; late calls after the loop's end are dropped."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, value)


# the QR event and the codes the binding reserves
_UNSUBSCRIBED = (0, 1, 28, 29)
_STOP_SECONDS = 0.3
# tests need no durability; the trailing name swallows what the binding appends
_SQLITE_OPTIONS = "?_journal_mode=WAL&_synchronous=OFF&_busy_timeout=10000&_foreign_keys=on&_x="


def _is_real_message(event: Any) -> bool:
    names = {field.name for field, _ in event.Message.ListFields()}
    is_share = event.Message.protocolMessage.type in (6, 7) and "protocolMessage" in names
    return not names <= _KEY_ONLY and not is_share
