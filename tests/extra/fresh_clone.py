"""`make run` in a fresh clone, as a person with an empty home directory types it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from tests.homeserver.quickstart import Quickstart, processes_below

# Far above what it takes on an idle machine, which the printed figures show.
DEADLINE_SECONDS = 400.0
STARTS = ("first start, installation included", "second start")


async def check(clone: Path) -> None:
    """Install, ask, stop, start, ask, stop; prints what each start took."""
    quickstart = Quickstart(["make", "run"], folder=clone, environment={})
    room = ""
    try:
        for name in STARTS:
            begin = time.monotonic()
            steps = await quickstart.start(deadline_seconds=DEADLINE_SECONDS)
            ready = time.monotonic() - begin
            async with await steps.client() as client:
                room = room or await steps.open_chat(client)
                answer = await steps.ask(client, room, "help")
            assert "status" in answer, answer
            answered = time.monotonic() - begin
            sys.stdout.write(f"{name}: ready after {ready:.1f} s, help answered after {answered:.1f} s\n")
            await quickstart.process.interrupt_group()
            left = processes_below(clone)
            assert not left, f"still running: {left}"
    finally:
        for pid in processes_below(clone):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(check(Path(sys.argv[1])))
