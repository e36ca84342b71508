"""Short cuts the tests of the simulator share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.simulator.api import Account, Device, Jid, LibraryClient, Simulator, simulator
from tests.simulator.history import HistoryConversation, HistoryMessage
from tests.simulator.patch import KeepAlive, QrTimings, loaded_library
from tests.simulator.protobufs import e2e

HISTORY_START: Final = 1_700_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Alice with a linked client, and Bob with a phone."""

    wa: Simulator
    alice: Account
    bob: Account
    client: LibraryClient
    device: Device


@contextlib.asynccontextmanager
async def alice_and_bob(tmp_path: Path) -> AsyncIterator[Pair]:
    """Alice is linked, Bob is not."""
    async with simulator(tmp_path) as wa:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client = wa.client("alice")
        device = await client.pair(alice)
        yield Pair(wa=wa, alice=alice, bob=bob, client=client, device=device)


@contextlib.contextmanager
def keepalive(timings: KeepAlive) -> Iterator[None]:
    """Inside the block the library uses these timings."""
    loaded_library().set_keepalive(timings)
    try:
        yield
    finally:
        loaded_library().set_keepalive(KeepAlive())


@contextlib.contextmanager
def qr_timings(timings: QrTimings) -> Iterator[None]:
    """Inside the block the library shows QR codes this long."""
    loaded_library().set_qr_timings(timings)
    try:
        yield
    finally:
        loaded_library().set_qr_timings(QrTimings())


async def read_database(database: Path, query: str) -> list[list[Any]]:
    """Read the library's database from another process.

    Two copies of SQLite in one process drop each other's file locks.
    """
    program = (
        "import json, sqlite3, sys; database = sqlite3.connect(sys.argv[1]);"
        "print(json.dumps(database.execute(sys.argv[2]).fetchall()))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(database), query, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    rows: list[list[Any]] = json.loads(output)
    return rows


async def eventually(condition: Callable[[], Any], timeout_seconds: float = 10) -> None:
    """Poll a condition of the client's database or state that gives no event."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            outcome = condition()
            if asyncio.iscoroutine(outcome):
                outcome = await outcome
            if outcome:
                return
            await asyncio.sleep(0.01)


async def read_line(stream: asyncio.StreamReader, prefix: bytes) -> bytes:
    """The rest of the next line with this prefix."""
    while line := await stream.readline():
        if line.startswith(prefix):
            return line.removeprefix(prefix).strip()
    raise AssertionError("the process ended early")


def conversation(chat: Jid, count: int) -> HistoryConversation:
    """A chat with old messages."""
    messages = [
        HistoryMessage(
            message_id=f"OLD{n}",
            message=e2e.Message(conversation=f"old {n}"),
            at_seconds=HISTORY_START + n,
            is_from_me=n % 2 == 0,
        )
        for n in range(count)
    ]
    return HistoryConversation(chat=chat, name="Bob", messages=messages, unread=1)
