"""`quickstart` as its first user meets it: a bot that answers, a stop that is clean, a start that resumes."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.ops.local_place import is_port_free
from tests.homeserver import MatrixClient, PortPool
from tests.homeserver.accounts import log_in
from tests.homeserver.processes import Process

pytestmark = pytest.mark.synapse

ROOT = Path(__file__).parents[2]
STEPS = re.compile(
    r"1\. .* (?P<url>http://\S+)\n2\. .* (?P<user>@\S+) .* (?P<password>\S+)\n"
    r"3\. .* (?P<bot>@\S+)\n4\. .* help\n5\. Ctrl-C"
)
START_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What quickstart told its user."""

    url: str
    user: str
    password: str
    bot: str

    async def client(self) -> MatrixClient:
        """A client that did as it was told."""
        account = await log_in(self.url, self.user, self.password)
        return MatrixClient(self.url, user_id=account.user_id, access_token=account.access_token)


class Quickstart:
    """The command as a process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "mautrix_whatsapp_py", "quickstart", "--data", "data"]
        environment = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.process = Process("quickstart", command, folder=folder, environment=environment)

    async def start(self) -> Steps:
        seen = len(self.process.output)

        async def has_greeted() -> bool:
            return STEPS.search(self.process.output, seen) is not None

        self.process.launch()
        await self.process.wait_until(has_greeted, deadline_seconds=START_SECONDS)
        found = STEPS.search(self.process.output, seen)
        assert found is not None
        return Steps(**found.groupdict())


@pytest.fixture
async def quickstart(tmp_path: Path, ports: PortPool) -> AsyncIterator[Quickstart]:
    started = Quickstart(tmp_path)
    yield started
    if started.process.is_running:
        await started.process.interrupt()


def processes_below(folder: Path) -> dict[int, str]:
    """Process ids and command lines of all that work in a folder or name it."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            works_in = str((entry / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in line or works_in.startswith(str(folder)):
            found[int(entry.name)] = line
    return found


async def ask(client: MatrixClient, room: str, text: str) -> str:
    mark = client.mark()
    await client.send_text(room, text)
    return (await client.wait_for_message(room, after=mark)).body


async def test_the_bot_answers_and_a_second_start_resumes(quickstart: Quickstart, tmp_path: Path) -> None:
    steps = await quickstart.start()
    async with await steps.client() as client:
        room = await client.create_room(invite=[steps.bot], is_direct=True)
        await client.wait_for_membership(room, steps.bot, "join")
        await client.wait_for_message(room, sender=steps.bot)
        assert "status" in await ask(client, room, "help")

    assert await quickstart.process.interrupt() == ExitCode.OK
    assert processes_below(tmp_path) == {}

    again = await quickstart.start()
    assert again == steps
    async with await again.client() as client:
        assert "status" in await ask(client, room, "help")
    assert await quickstart.process.stop() == ExitCode.OK
    assert processes_below(tmp_path) == {}


async def test_a_killed_quickstart_takes_both_along_and_the_next_start_works(
    quickstart: Quickstart, tmp_path: Path
) -> None:
    steps = await quickstart.start()
    await quickstart.process.kill()
    assert await quickstart.start() == steps
    assert await quickstart.process.interrupt() == ExitCode.OK
    assert processes_below(tmp_path) == {}


async def test_a_homeserver_that_dies_ends_the_bridge_with_a_word(quickstart: Quickstart, tmp_path: Path) -> None:
    steps = await quickstart.start()
    synapse = next(pid for pid, line in processes_below(tmp_path).items() if "synapse" in line)
    os.kill(synapse, signal.SIGKILL)
    assert await quickstart.process.wait() == ExitCode.HOMESERVER_UNREACHABLE
    assert "the local homeserver ended" in quickstart.process.output
    assert processes_below(tmp_path) == {}
    assert is_port_free(int(steps.url.rsplit(":", 1)[1]))
