"""A child process that ends with us, whichever way we end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mautrix_whatsapp_py.ops.follow_parent import HELD

FOLLOW_PARENT = "mautrix_whatsapp_py.ops.follow_parent"
STOP_SECONDS = 20.0


class Child:
    """A Python module running in a process of its own."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        output: Path | None = None,
        inherited: Sequence[int] = (),
        held_after: str = "",
    ) -> None:
        """Start it. With `held_after` it only imports that package, and runs the module after `release`."""
        held = (HELD, held_after) if held_after else ()
        self._file = output.open("wb") if output is not None else None
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-m", FOLLOW_PARENT, *held, module, *arguments],
            stdin=subprocess.PIPE,
            stdout=self._file,
            stderr=subprocess.STDOUT if self._file is not None else None,
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we decide who stops first.
            start_new_session=True,
            pass_fds=tuple(inherited),
        )

    def release(self) -> None:
        """Let a held module run; one that has ended already stays so."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            # Unbuffered: what a child that is gone did not take must not come up again at the end.
            os.write(self._process.stdin.fileno(), b"\n")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self._process.wait)

    async def stop(self) -> int:
        """End it, politely at first; not even a cancellation leaves it running."""
        self._process.terminate()
        try:
            return await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            self._process.kill()
            self._process.wait()
            self._close()

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._file is not None:
            self._file.close()
