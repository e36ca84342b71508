"""The client library behind its C interface; calls may block, callbacks come on foreign threads."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import logging
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from mautrix_whatsapp_py.whatsapp.tables import Database

log = logging.getLogger(__name__)

_UNUSED_EVENTS = frozenset({1, 16, 33, 34, 41, 45})
"""QR codes come by callback; newsletter leave and mute events with an unknown role end all event delivery."""
SUBSCRIBED = bytes(code for code in (*range(2, 14), *range(17, 28), *range(30, 46)) if code not in _UNUSED_EVENTS)


_SET_TIMER_SLACK = 29
_SLACK_NANOSECONDS = 1_000_000


class Listener(Protocol):
    """Who is told what one incarnation of a session does; called on foreign threads, must not raise."""

    def on_event(self, code: int, body: bytes) -> None: ...

    def on_qr(self, text: str) -> None: ...

    def on_status(self, word: str) -> None: ...

    def on_log(self, line: bytes) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectSpec:
    """What an incarnation is started with; `jid` is a serialized address, empty for a new device."""

    uuid: str
    slot: str
    database: Database
    device_props: bytes
    jid: bytes = b""
    proxy: str = ""


class Library(Protocol):
    """The library as sessions use it."""

    def run(self, spec: ConnectSpec, listener: Listener) -> str:
        """Connect and deliver events until stopped; the error text, empty after a stop."""

    def disconnect(self, uuid: str) -> None:
        """Close the socket; events already received are still delivered."""

    def stop(self, uuid: str) -> None:
        """Forget an incarnation; its `run` returns."""

    def call(self, name: str, uuid: str, *arguments: Any) -> bytes:
        """An export by name; only for an incarnation that is known to the library."""


def import_binding() -> Any:
    """The C interface without the rest of the package.

    The package's own __init__ pulls in image, HTTP and MIME libraries (libmagic among them) that we never use:
    with empty packages in its place a host starts in half the time and is 17 MB smaller.
    """
    if "neonize" not in sys.modules:
        spec = importlib.util.find_spec("neonize")
        if spec is None or not spec.submodule_search_locations:
            raise ImportError("neonize is not installed")
        root = Path(spec.submodule_search_locations[0])
        for name, path in (("neonize", root), ("neonize.utils", root / "utils")):
            package = types.ModuleType(name)
            package.__path__ = [str(path)]
            sys.modules[name] = package
        # Only wanted where the package came without its library: 10 MB that every host would hold.
        sys.modules.setdefault("requests", _Absent("requests"))
        bars = sys.modules.setdefault("tqdm", _Absent("tqdm"))
        if isinstance(bars, _Absent):
            bars.tqdm = lambda *args, **options: bars.load().tqdm(*args, **options)
    with _drowsy():
        from neonize import _binder

    return _binder


@contextmanager
def _drowsy() -> Iterator[None]:
    """Let threads that begin now, and those they begin, sleep a little longer than they ask for.

    Go's runtime has a thread that sleeps for 20 µs at a time while anything happens: thirty wake-ups per message.
    """
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_TIMER_SLACK, ctypes.c_ulong(_SLACK_NANOSECONDS))
    try:
        yield
    finally:
        # Zero means what was usual for this thread.
        prctl(_SET_TIMER_SLACK, ctypes.c_ulong(0))


class _Absent(types.ModuleType):
    """Stands for a module until somebody wants something of it."""

    tqdm: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__name__ == "tqdm":
            raise AttributeError(name)
        return getattr(self.load(), name)

    def load(self) -> Any:
        """The module itself."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


@dataclass(slots=True)
class _Slot:
    """The log callback of a login; it lives for ever, for the library may call it after its session ended."""

    callback: Any = None
    listener: Listener | None = None


@dataclass(slots=True)
class Neonize:
    """The real library."""

    binding: Any = field(default_factory=import_binding)
    _listeners: dict[str, Listener] = field(default_factory=dict)
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _callbacks: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        binding = self.binding
        # One object per kind for the life of the process: goroutines of ended incarnations may still call them.
        self._callbacks = (
            binding.func_string(self._on_qr),
            binding.func_string(self._on_status),
            binding.func_callback_bytes(self._on_event),
        )

    def run(self, spec: ConnectSpec, listener: Listener) -> str:
        """See Library."""
        self._listeners[spec.uuid] = listener
        slot = self._get_slot(spec.slot)
        slot.listener = listener
        codes = bytearray(SUBSCRIBED)
        code_buffer = (ctypes.c_char * len(codes)).from_buffer(codes)
        proxy = self.binding.ProxySettings(spec.proxy)._to_c_struct() if spec.proxy else None  # noqa: SLF001
        on_qr, on_status, on_event = self._callbacks
        try:
            error: bytes = self.binding.gocode.Neonize(
                _name_database(spec.database),
                spec.uuid.encode(),
                spec.jid,
                len(spec.jid),
                0 if spec.jid else 1,
                b"WARN",
                on_qr,
                on_status,
                on_event,
                slot.callback,
                code_buffer,
                len(codes),
                spec.device_props,
                len(spec.device_props),
                b"",
                0,
                ctypes.byref(proxy) if proxy is not None else None,
            )
        finally:
            self._listeners.pop(spec.uuid, None)
        return error.decode(errors="replace")

    def disconnect(self, uuid: str) -> None:
        """See Library."""
        self.binding.gocode.Disconnect(uuid.encode())

    def stop(self, uuid: str) -> None:
        """See Library."""
        self.binding.gocode.Stop(uuid.encode())

    def call(self, name: str, uuid: str, *arguments: Any) -> bytes:
        """See Library."""
        result = getattr(self.binding.gocode, name)(uuid.encode(), *arguments)
        return result if isinstance(result, bytes) else b""

    def _get_slot(self, name: str) -> _Slot:
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = _Slot()
            slot.callback = self.binding.func_callback_bytes2(_log_callback(slot))
        return slot

    def _on_event(self, uuid: bytes, body: int | None, size: int, code: int) -> None:
        listener = self._listeners.get(uuid.decode())
        if listener is not None:
            listener.on_event(code, ctypes.string_at(body, size) if body and size > 0 else b"")

    def _on_qr(self, uuid: int, text: int) -> None:
        listener = self._listeners.get(ctypes.string_at(uuid).decode())
        if listener is not None:
            listener.on_qr(ctypes.string_at(text).decode())

    def _on_status(self, uuid: int, word: int) -> None:
        listener = self._listeners.get(ctypes.string_at(uuid).decode())
        if listener is not None:
            listener.on_status(ctypes.string_at(word).decode())


_DATABASE_OPTIONS = (
    b"?_journal_mode=WAL&_busy_timeout=10000&_synchronous=NORMAL&_txlock=immediate&_foreign_keys=on&_unused="
)
"""The library appends `?_foreign_keys=on` to the name; the last key swallows it."""


def _name_database(database: Database) -> bytes:
    if isinstance(database, Path):
        return quote(str(database)).encode() + _DATABASE_OPTIONS
    return database.library_name.encode()


def _log_callback(slot: _Slot) -> Callable[[int | None, int], None]:
    def on_log(line: int | None, size: int) -> None:
        listener = slot.listener
        if listener is not None and line and size > 0:
            listener.on_log(ctypes.string_at(line, size))

    return on_log


def missing_exports(binding: Any, names: Iterable[str]) -> list[str]:
    """Exports this version of the library does not have."""
    return [name for name in names if not hasattr(binding.gocode, name)]


def make_tables(database: Database) -> None:
    """Make the library's own tables; a side effect of its listing the sessions there."""
    binding = import_binding()
    on_log = binding.func_callback_bytes2(lambda _line, _size: None)
    binding.gocode.GetAllDevices(_name_database(database), on_log)
