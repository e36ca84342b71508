"""`make demo` as its first user meets it: a simulated phone is linked, Ctrl-C ends everything, a start resumes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mautrix_whatsapp_py.errors import ExitCode
from tests.homeserver import MatrixClient
from tests.homeserver.quickstart import Quickstart, Steps, processes_below
from tests.postgres import locked

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "tests.simulator.demo", "--data", "data")
ENVIRONMENT = {"PYTHONPATH": str(ROOT)}
DEADLINE_SECONDS = 120.0
LINKED = "Successfully logged in as +15550001111"


@pytest.fixture
async def demo(tmp_path: Path, run_folder: Path) -> AsyncIterator[Quickstart]:
    # One at a time: all of them prefer the usual ports, and keep them between two starts.
    with locked(run_folder / "quickstart.lock"):
        started = Quickstart(COMMAND, folder=tmp_path, environment=ENVIRONMENT)
        yield started
        if started.process.is_running:
            await started.process.interrupt(deadline_seconds=DEADLINE_SECONDS)


async def run(folder: Path, *words: str) -> tuple[int, str]:
    """The exit code of a command and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_SECONDS):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def wait_for(client: MatrixClient, room: str, text: str) -> None:
    await client.wait_for_message(room, contains=text, deadline_seconds=DEADLINE_SECONDS)


async def ask_until(steps: Steps, client: MatrixClient, room: str, command: str, answer: str) -> None:
    """Ask again and again until the answer is the awaited one."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while answer not in await steps.ask(client, room, command):
            pass


async def control(demo: Quickstart, path: str, body: Any = None) -> Any:
    """What one of the printed curl commands answers."""
    address = re.findall(r"^  curl (http://[0-9.:]+)$", demo.process.output, re.MULTILINE)[-1]
    async with (
        aiohttp.ClientSession() as http,
        http.request("GET" if body is None else "POST", address + path, data=body) as response,
    ):
        assert response.ok, await response.text()
        return await response.json()


async def link_by_scan(client: MatrixClient, room: str, folder: Path) -> None:
    assert (await run(folder, "scan"))[1] == "error: the bot shows no QR code: send it  login  first\n"
    await client.send_text(room, "login")
    await client.wait_for(
        lambda event: event.room_id == room and event.content.get("msgtype") == "m.image",
        deadline_seconds=DEADLINE_SECONDS,
    )
    assert await run(folder, "scan") == (0, "+15550001111 has scanned the code and linked device 1\n")
    await wait_for(client, room, LINKED)


async def test_a_phone_is_linked_and_a_second_start_resumes(demo: Quickstart, tmp_path: Path) -> None:
    steps = await demo.start(deadline_seconds=DEADLINE_SECONDS)
    async with await steps.client() as client:
        room = await steps.open_chat(client)
        await link_by_scan(client, room, tmp_path)
    message = json.dumps({"to": "15550001111", "text": "Hello Alice"})
    await control(demo, "/accounts/15550002222/messages", message)
    assert [each["text"] for each in await control(demo, "/accounts/15550001111/inbox")] == ["Hello Alice"]
    assert "running already" in (await run(tmp_path))[1]
    assert await demo.process.interrupt(deadline_seconds=DEADLINE_SECONDS) == ExitCode.OK
    assert processes_below(tmp_path) == {}

    assert await demo.start(deadline_seconds=DEADLINE_SECONDS) == steps
    async with await steps.client() as client:
        await ask_until(steps, client, room, "ping", "is connected")
        await ask_until(steps, client, room, "logout", "Unlinked +15550001111, here and on the phone")
        answer = await steps.ask(client, room, "login code +15550001111")
        code = answer.split("`")[1]
        assert await run(tmp_path, "code", code) == (0, "+15550001111 has taken the code and linked device 2\n")
        await wait_for(client, room, LINKED)
    assert await control(demo, "/violations") == []
    assert await demo.process.interrupt(deadline_seconds=DEADLINE_SECONDS) == ExitCode.OK
    assert processes_below(tmp_path) == {}


async def test_the_data_of_a_real_bridge_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "config.yaml").write_text("whatsapp: {}\n")
    code, output = await run(tmp_path)
    assert (code, output) == (
        ExitCode.DATA_FOLDER,
        "error: data belongs to a bridge that is no demo: choose another folder with --data\n",
    )
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("words", [("scan",), ("code", "ABCD-EFGH")])
async def test_a_phone_without_a_demo_says_what_to_start(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert await run(tmp_path, *words) == (
        ExitCode.USAGE,
        "error: the demo on data does not answer: start it with  make demo\n",
    )
