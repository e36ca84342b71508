"""A deadline that ends a process."""

from __future__ import annotations

import threading

from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.fencing import Fence, machine_seconds

PATIENCE_SECONDS = 20


def test_the_end_comes_after_the_deadline_and_a_warning_before_it() -> None:
    said: list[object] = []
    over = threading.Event()

    def end(code: int) -> None:
        said.append(code)
        over.set()

    fence = Fence(machine_seconds() + 1, end, grace_seconds=1000, on_grace=lambda: said.append("grace"))
    fence.start()
    assert over.wait(PATIENCE_SECONDS)
    assert machine_seconds() > fence.until
    assert said == ["grace", ExitCode.LEASE_LOST]


def test_an_open_fence_ends_nobody() -> None:
    over = threading.Event()
    fence = Fence(machine_seconds() - 1, lambda _: over.set())
    fence.open()
    fence.start()
    for thread in threading.enumerate():
        if thread.name == "fence":
            thread.join(PATIENCE_SECONDS)
    assert not over.is_set()
