"""A library that does what a test tells it to, and an outlet that keeps what it is given."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mautrix_whatsapp_py.model.wa import WaStruct
from mautrix_whatsapp_py.whatsapp.host.library import ConnectSpec, Listener
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf


@dataclass(slots=True)
class Running:
    """One run of the fake library."""

    spec: ConnectSpec
    listener: Listener
    inbox: queue.Queue[Callable[[], str | None]] = field(default_factory=queue.Queue)
    is_connected: bool = True


@dataclass(slots=True)
class FakeLibrary:
    """Implements Library. `dial` decides what a connect comes to: an error text, or None for success."""

    protobuf: Protobuf
    dial: Callable[[], str | None] = lambda: None
    runs: list[Running] = field(default_factory=list)
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    answer: Callable[[str], bytes] = lambda _: b""
    log: list[str] = field(default_factory=list)
    _by_uuid: dict[str, Running] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def latest(self) -> Running:
        return self.runs[-1]

    def run(self, spec: ConnectSpec, listener: Listener) -> str:
        run = Running(spec, listener)
        with self._lock:
            self.runs.append(run)
            self._by_uuid[spec.uuid] = run
        self.log.append(f"run {spec.uuid}")
        error = self.dial()
        if error is not None:
            return error
        listener.on_event(0, b"")
        messages = self.protobuf.messages
        listener.on_event(3, messages.Connected(status=True).SerializeToString())
        listener.on_event(27, messages.OfflineSyncCompleted(Count=0).SerializeToString())
        while True:
            result = run.inbox.get()()
            if result is not None:
                return result

    def emit(self, code: int, body: bytes) -> None:
        """Let the library deliver an event on its thread."""
        run = self.latest

        def deliver() -> None:
            run.listener.on_event(code, body)

        run.inbox.put(deliver)

    def end(self, error: str) -> None:
        """Let the library return by itself."""
        self.latest.inbox.put(lambda: error)

    def disconnect(self, uuid: str) -> None:
        self.log.append(f"disconnect {uuid}")
        self._by_uuid[uuid].is_connected = False

    def stop(self, uuid: str) -> None:
        self.log.append(f"stop {uuid}")
        self._by_uuid[uuid].inbox.put(lambda: "")

    def call(self, name: str, uuid: str, *arguments: Any) -> bytes:
        self.calls.append((name, arguments))
        return self.answer(name)


@dataclass(slots=True)
class FakeOutlet:
    """Implements Outlet."""

    epoch: int = 1
    frames: list[WaStruct] = field(default_factory=list)
    on_put: Callable[[], None] = lambda: None

    def put(self, frame: WaStruct) -> None:
        self.frames.append(frame)
        self.on_put()

    async def drain(self) -> None:
        return None

    def of_kind(self, kind: type[Any]) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kind)]
