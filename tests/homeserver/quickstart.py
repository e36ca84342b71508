"""`quickstart` as a process, and a reader of the five lines it prints."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.homeserver.accounts import log_in
from tests.homeserver.client import MatrixClient
from tests.homeserver.processes import Process

STEPS = re.compile(
    r"1\. .* (?P<url>http://\S+)\n2\. .* (?P<user>@\S+) .* (?P<password>\S+)\n"
    r"3\. .* (?P<bot>@\S+)\n4\. .* help\n5\. Ctrl-C .*\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What quickstart told its user."""

    url: str
    user: str
    password: str
    bot: str

    async def client(self) -> MatrixClient:
        """A client that did as it was told; to be started."""
        account = await log_in(self.url, self.user, self.password)
        return MatrixClient(self.url, user_id=account.user_id, access_token=account.access_token)

    async def open_chat(self, client: MatrixClient) -> str:
        """A direct chat in which the bot has said hello."""
        room = await client.create_room(invite=[self.bot], is_direct=True)
        await client.wait_for_membership(room, self.bot, "join")
        await client.wait_for_message(room, sender=self.bot)
        return room

    async def ask(self, client: MatrixClient, room: str, text: str) -> str:
        """The bot's answer."""
        mark = client.mark()
        await client.send_text(room, text)
        return (await client.wait_for_message(room, sender=self.bot, after=mark)).body


class Quickstart:
    """The command, started as often as one likes."""

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        unbuffered = {**environment, "PYTHONUNBUFFERED": "1"}
        self.process = Process("quickstart", command, folder=folder, environment=unbuffered)

    async def start(self, *, deadline_seconds: float = 90.0) -> Steps:
        """Start and wait for the five lines."""
        seen = len(self.process.output)

        async def has_greeted() -> bool:
            return STEPS.search(self.process.output, seen) is not None

        self.process.launch()
        await self.process.wait_until(has_greeted, deadline_seconds=deadline_seconds)
        found = STEPS.search(self.process.output, seen)
        assert found is not None
        return Steps(**found.groupdict())


def processes_below(folder: Path) -> dict[int, str]:
    """Process ids and command lines of all others that work in a folder or name it."""
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            works_in = str((entry / "cwd").readlink())
        except OSError:
            continue
        if int(entry.name) == os.getpid():
            continue
        if str(folder) in line or works_in.startswith(str(folder)):
            found[int(entry.name)] = line
    return found
