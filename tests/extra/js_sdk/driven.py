"""A matrix-js-sdk client in a child process, as the tests see it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.homeserver.synapse import PASSWORD, Synapse

Json = Any
PATIENCE_SECONDS: Final = 90
_DRIVER: Final = Path(__file__).with_name("driver.mjs")
_LINE_LIMIT_BYTES: Final = 1 << 24


class JsClient:
    """Commands to one client, and what it saw."""

    def __init__(self, process: asyncio.subprocess.Process, user: str) -> None:
        self.user = user
        self.events: list[Json] = []
        self._process = process
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._ids = itertools.count(1)
        self._changed = asyncio.Condition()
        self._is_ready = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def ready(self) -> None:
        """Wait until it has begun."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._is_ready.wait()

    async def ask(self, command: str, **parameters: Json) -> Json:
        """One command and its answer."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "command": command, **parameters}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer

    async def send(self, room: str, content: Json, kind: str = "m.room.message") -> str:
        """Send an event, encrypted where the room is; its id."""
        return str(await self.ask("send", room=room, kind=kind, content=content))

    async def say(self, room: str, body: str, **more: Json) -> str:
        """Say something; its id."""
        return await self.send(room, {"msgtype": "m.text", "body": body, **more})

    async def seen(self, fits: Callable[[Json], bool], *, start: int = 0) -> Json:
        """The first event that fits, as soon as it can be read."""

        def find() -> Json:
            return next((event for event in self.events[start:] if not event["failure"] and fits(event)), None)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
                await self._changed.wait_for(lambda: find() is not None)
        except TimeoutError:
            raise AssertionError(f"none fits; the last of {len(self.events)}: {self.events[-20:]}") from None
        return find()

    async def failed(self, sender: str) -> Json:
        """What somebody said that could not be read, as soon as it is there."""

        def find() -> Json:
            return next((event for event in self.events if event["failure"] and sender in event["sender"]), None)

        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: find() is not None)
        return find()

    async def heard(self, part: str, *, room: str | None = None, start: int = 0) -> Json:
        """What somebody else said; always encrypted."""

        def fits(event: Json) -> bool:
            is_there = room in (None, event["room"]) and event["sender"] != self.user
            return is_there and part in str(event["content"].get("body", ""))

        event = await self.seen(fits, start=start)
        assert event["isSecret"], event
        return event

    async def stop(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self._is_ready.set()
            elif "event" in message:
                async with self._changed:
                    self.events.append(message["event"])
                    self._changed.notify_all()
            else:
                answer = self._answers.pop(message["id"])
                if "error" in message:
                    answer.set_exception(AssertionError(message["error"]))
                else:
                    answer.set_result(message["result"])


@asynccontextmanager
async def js_client(synapse: Synapse, localpart: str, log: Path, *, signs: bool = True) -> AsyncIterator[JsClient]:
    """A new device of a user."""
    account = await synapse.login(localpart)
    environment = {
        **os.environ,
        "CLIENT_URL": synapse.url,
        "CLIENT_USER": account.user_id,
        "CLIENT_DEVICE": account.device_id,
        "CLIENT_TOKEN": account.access_token,
        "CLIENT_PASSWORD": PASSWORD,
        **({"CLIENT_SIGNS": "1"} if signs else {}),
    }
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            "node",
            str(_DRIVER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=environment,
            limit=_LINE_LIMIT_BYTES,
        )
    client = JsClient(process, account.user_id)
    try:
        await client.ready()
        yield client
    finally:
        await client.stop()
