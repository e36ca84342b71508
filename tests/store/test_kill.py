"""Killed at any moment, the endpoint has lost nothing it acknowledged and doubled nothing it is sent again."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import aiohttp

from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress
from tests.fakes.clock import FakeClock
from tests.store.endpoint_process import TOKEN
from tests.unit.matrix.shapes import Json, message

ROOT = Path(__file__).resolve().parents[2]
TRANSACTIONS = 80
KILLED_AT = (10, 33, 57)


class Homeserver:
    """Pushes transactions in order, each until it is acknowledged."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.acknowledged = 0
        self.process: Process | None = None
        self.port = 0

    async def start_endpoint(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.store.endpoint_process", self.url, cwd=ROOT, stdout=PIPE
        )
        assert self.process.stdout is not None
        self.port = int(await asyncio.wait_for(self.process.stdout.readline(), 60))

    async def kill_endpoint(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def push_all(self, http: aiohttp.ClientSession, until: int) -> None:
        while self.acknowledged < until:
            async with http.put(
                f"http://127.0.0.1:{self.port}/transactions/{self.acknowledged}",
                json={"events": events(self.acknowledged)},
            ) as response:
                assert response.status == 200
            self.acknowledged += 1


def events(transaction: int) -> list[Json]:
    return [
        {
            **message({"msgtype": "m.text", "body": "hello"}),
            "event_id": f"${transaction:03}-{number}",
            "room_id": f"!room{number % 2}",
        }
        for number in range(5)
    ]


async def test_killed_three_times_in_the_middle(migrated: DatabaseAddress) -> None:
    url = f"sqlite:///{migrated.path}" if isinstance(migrated, SqliteAddress) else migrated.dsn
    homeserver = Homeserver(url)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        for number in KILLED_AT:
            await homeserver.start_endpoint()
            await homeserver.push_all(http, number)
            # In flight when the process dies; whether it got through shows only in the next run.
            pushing = asyncio.create_task(homeserver.push_all(http, TRANSACTIONS))
            while homeserver.acknowledged < number + 3:
                await asyncio.sleep(0)
            await homeserver.kill_endpoint()
            (failure,) = await asyncio.gather(pushing, return_exceptions=True)
            assert isinstance(failure, aiohttp.ClientError)
        await homeserver.start_endpoint()
        await homeserver.push_all(http, TRANSACTIONS)
        await homeserver.kill_endpoint()
    store = Store(migrated)
    pending = await Inbox(store, FakeClock()).get_pending()
    await store.close()
    expected = [event["event_id"] for number in range(TRANSACTIONS) for event in events(number)]
    assert [event.event_id for event in pending] == expected
