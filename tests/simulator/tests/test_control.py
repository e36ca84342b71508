"""The server of its own and its HTTP interface, driven as a person would."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.simulator.tests.clients import read_line

pytestmark = pytest.mark.neonize
ROOT = Path(__file__).parents[3]


async def test_person_pairs_and_talks_by_http(tmp_path: Path) -> None:
    server = await start(
        "-m", "tests.simulator", "--folder", str(tmp_path / "s"), "--account", "15550001111=Alice"
    )
    host = None
    try:
        async with asyncio.timeout(40), aiohttp.ClientSession() as session:
            assert server.stdout is not None
            addresses = json.loads(await server.stdout.readline())
            base = addresses["control"]
            split = addresses["host_command"].index("--") + 1
            launcher = addresses["host_command"][1:split]
            await call(session, "POST", f"{base}/accounts", {"number": "15550002222", "name": "Bob"})
            host = await start(
                *launcher, sys.executable, "-m", "tests.simulator.tests.hosted", str(tmp_path / "h.db")
            )
            assert host.stdout is not None
            qr = (await read_line(host.stdout, b"QR ")).decode()
            assert await call(session, "POST", f"{base}/accounts/15550001111/scan", {"qr": "no#x,y"}, 409)
            paired = await call(session, "POST", f"{base}/accounts/15550001111/scan", {"qr": qr})
            assert paired == {"device": 1}
            await read_line(host.stdout, b"CONNECTED")
            await call(
                session, "POST", f"{base}/accounts/15550002222/messages", {"to": "15550001111", "text": "hey"}
            )
            assert await host.wait() == 0
            inbox = await call(session, "GET", f"{base}/accounts/15550002222/inbox")
            assert [(m["from"], m["text"]) for m in inbox] == [("15550001111", "echo hey")]
            group = {"creator": "15550002222", "subject": "Choir", "members": ["15550001111"]}
            assert (await call(session, "POST", f"{base}/groups", group, 201))["id"]
            await call(session, "POST", f"{base}/network", {"state": "AWAY"})
            await call(session, "POST", f"{base}/network", {"state": "SIDEWAYS"}, 400)
            await call(session, "DELETE", f"{base}/accounts/15550001111/devices/1")
            listed = await call(session, "GET", f"{base}/accounts")
            assert [account["devices"] for account in listed] == [[], []]
            assert await call(session, "GET", f"{base}/violations") == []
        server.terminate()
        assert await server.wait() == 0
    finally:
        for process in (server, host):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()


async def start(*arguments: str) -> asyncio.subprocess.Process:
    """Run this interpreter in the project's folder."""
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )


async def call(
    session: aiohttp.ClientSession, method: str, url: str, body: Any = None, status: int | None = None
) -> Any:
    """One request of the person."""
    async with session.request(method, url, json=body) as response:
        assert response.status == status if status else response.ok, await response.text()
        return await response.json()
