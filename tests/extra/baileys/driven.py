"""A Baileys session in a child process, as the tests see it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from tests.simulator.api import Account, Device, Simulator
from tests.simulator.history import HistoryChunk

_DRIVER: Final = Path(__file__).with_name("driver.mjs")
_LINE_LIMIT_BYTES: Final = 1 << 26
_PATIENCE_SECONDS: Final = 20

Json = Any


class DrivenError(Exception):
    """The client refused a command."""


class BaileysClient:
    """Commands to one session and the events it gave."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.history: list[tuple[str, Json]] = []
        self._process = process
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._changed = asyncio.Condition()
        self._taken: set[int] = set()
        self._reader = asyncio.create_task(self._read())

    # session

    async def connect(self) -> None:
        """Open the session; after a restart asked for by the server it opens itself again."""
        await self.command("connect")

    async def pair(self, account: Account, *history: HistoryChunk) -> Device:
        """Show a QR code, have the phone scan it, and take over what a phone sends to a new companion."""
        await self.connect()
        update = await self.event("connection.update", lambda data: data.get("qr"))
        return await self.welcome(account, await account.phone.scan(update["qr"]), *history)

    async def ask_for_code(self, account: Account, *wanted: str) -> str:
        """Have the client show a pairing code, of its own choice or the wanted one; the server knows of it."""
        await self.connect()
        await self.event("connection.update", lambda data: data.get("qr"))
        code = await self.call("requestPairingCode", account.pn.user, *wanted)
        phone = account.phone
        # the client does not wait for the server's answer
        await phone.world.trace.wait_for(lambda: phone.pending_link is not None)
        return str(code)

    async def pair_by_code(self, account: Account) -> Device:
        """Have the client's code typed on the phone, and take over what a phone sends to a new companion."""
        return await self.welcome(account, await account.phone.enter_code(await self.ask_for_code(account)))

    async def welcome(self, account: Account, device: Device, *history: HistoryChunk) -> Device:
        """Wait until the companion is ready; it holds events back until it has seen the first history."""
        await self.event("connection.update", lambda data: data.get("connection") == "open")
        await account.phone.welcome(device, *history or [HistoryChunk()])
        await self.event("messaging-history.set")
        # a session that ends before this waits 20 s for another history when it comes back
        await self.event("synced")
        return device

    async def stop(self) -> None:
        """End the session and the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            await self._reader

    # commands

    async def call(self, method: str, *arguments: Json) -> Json:
        """Call a method of the session's socket."""
        return await self.command("call", method=method, args=list(arguments))

    async def send(self, to: str, content: dict[str, Json], **options: Json) -> str:
        """Send any content; returns the message id."""
        sent = await self.call("sendMessage", to, content, options)
        return str(sent["key"]["id"])

    async def text(self, to: str, body: str) -> str:
        """Send plain text; returns the message id."""
        return await self.send(to, {"text": body})

    async def download(self, message_id: str) -> bytes:
        """The decrypted media of a message that was seen before."""
        return base64.b64decode((await self.command("download", message_id=message_id))["base64"])

    async def command(self, command: str, **parameters: Json) -> Json:
        """Have the driver do something."""
        number = len(self._answers) + 1
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "command": command, **parameters}, default=_encode)
        if self._process.stdin is None:
            raise RuntimeError("the driver has no stdin")
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._process.stdin.drain()
            return await answer

    # events

    async def event(self, name: str, matches: Callable[[Json], Any] = lambda _data: True) -> Json:
        """The oldest event of this name that matches and was not asked for before."""
        async with asyncio.timeout(_PATIENCE_SECONDS), self._changed:
            while True:
                for number, (found, data) in enumerate(self.history):
                    if number not in self._taken and found == name and matches(data):
                        self._taken.add(number)
                        return data
                if self._reader.done():
                    raise DrivenError("the driver ended")
                await self._changed.wait()

    async def message(
        self, matches: Callable[[Json], Any] = lambda _message: True, *, is_from_me: bool = False
    ) -> Json:
        """The oldest message with content that matches and was not asked for before."""

        def is_wanted(message: Json) -> bool:
            return message["key"].get("fromMe", False) is is_from_me and has_content(message)

        return await self.event("message", lambda message: is_wanted(message) and matches(message))

    def last(self, name: str) -> Json:
        """The latest event of this name, whether it was asked for or not."""
        return next(data for found, data in reversed(self.history) if found == name)

    async def update_of(self, message_id: str, field: str) -> Json:
        """The next change of this field of a message."""

        def find(updates: Json) -> list[Json]:
            found = (u["update"] for u in updates if u["key"]["id"] == message_id)
            return [update for update in found if field in update]

        return find(await self.event("messages.update", find))[0]

    def remember(self, name: str, data: Json) -> None:
        """Add an event; messages that came in one event are kept one by one."""
        if name == "messages.upsert":
            self.history += [("message", message) for message in data["messages"]]
        else:
            self.history.append((name, data))

    async def _read(self) -> None:
        stream = self._process.stdout
        while stream is not None and (line := await stream.readline()):
            value = json.loads(line)
            async with self._changed:
                if "event" in value:
                    self.remember(value["event"], value["data"])
                else:
                    self._answer(value)
                self._changed.notify_all()
        async with self._changed:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(DrivenError("the driver ended"))
            self._changed.notify_all()

    def _answer(self, value: Json) -> None:
        answer = self._answers[value["id"]]
        if answer.done():
            return
        if "error" in value:
            answer.set_exception(DrivenError(value["error"]))
        else:
            answer.set_result(value["result"])


def has_content(message: Json) -> bool:
    """True for messages that are more than keys and requests between devices."""
    content = message.get("message") or {}
    return bool(content.keys() - {"senderKeyDistributionMessage", "messageContextInfo", "protocolMessage"})


def text_of(message: Json) -> str:
    """The text of a plain message, empty for other kinds."""
    content = message["message"]
    return str(content.get("conversation") or content.get("extendedTextMessage", {}).get("text", ""))


def blob(data: bytes) -> dict[str, str]:
    """Bytes as the driver takes them."""
    return {"base64": base64.b64encode(data).decode()}


@contextlib.asynccontextmanager
async def baileys(simulator: Simulator, folder: Path) -> AsyncIterator[BaileysClient]:
    """A session that knows only the simulator; the folder keeps its keys."""
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("node is missing")
    with _log_file(folder) as errors:
        process = await asyncio.create_subprocess_exec(
            node,
            str(_DRIVER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=_environment(simulator, folder),
            limit=_LINE_LIMIT_BYTES,
        )
    client = BaileysClient(process)
    try:
        yield client
    finally:
        await client.stop()


def _log_file(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "stderr.log").open("ab")


def _environment(simulator: Simulator, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "NODE_EXTRA_CA_CERTS": str(simulator.authority.ca_file),
        "CLIENT_STATE": str(folder / "state"),
        "CLIENT_PROXY": simulator.proxy_url,
        "CLIENT_ROOT": simulator.root.public.hex(),
        "CLIENT_LOG_LEVEL": os.environ.get("CLIENT_LOG_LEVEL", "warn"),
        "CLIENT_MODULES": os.environ["CLIENT_MODULES"],
    }


def _encode(value: object) -> Json:
    if isinstance(value, bytes):
        return blob(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
