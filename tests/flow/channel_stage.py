"""A channel without Matrix, as its users run it, and simulated phones."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.homeserver import PortPool
from tests.homeserver.hosts import end_hosts
from tests.homeserver.processes import Process
from tests.homeserver.runner import ENVIRONMENT
from tests.simulator.api import Account, Simulator, host_command, simulator

TOKEN = "a-long-word-for-tests-only"
OWN, BEN, EVE = "15550001111", "15550002222", "15550003333"
READY_SECONDS = 60.0


class ChannelProcess:
    """`channel run` in a folder of its own; starts, stops and dies as often as a test likes."""

    def __init__(
        self, folder: Path, wa: Simulator, *, port: int, channel: Mapping[str, object], database: str | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        config = {
            "database": {"uri": database or f"sqlite:///{folder / 'bridge.db'}"},
            "whatsapp": {"host_command": list(host_command(wa))},
            "network": {"proxy": wa.proxy_url},
            "channel": {"enabled": True, "bridge_url": f"{self.url}/bridge", "token": TOKEN, **channel},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        (folder / "config.yaml").chmod(0o600)
        self._command = [sys.executable, "-m", "mautrix_whatsapp_py", "channel"]
        run = [*self._command, "run", "-c", "config.yaml", "--json"]
        environment = {**ENVIRONMENT, "SSL_CERT_FILE": str(wa.authority.ca_file)}
        self.process = Process("channel", run, folder=folder, environment=environment)
        self._commands = 0

    @property
    def steps(self) -> list[dict[str, str]]:
        """What `channel run --json` said about linking."""
        lines = [line for line in self.process.output.splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    async def start(self, *extra: str) -> None:
        """Start, and wait until it answers."""
        self.process.launch(*extra)
        await self.process.wait_until(self._is_up, deadline_seconds=READY_SECONDS)

    async def step(self, name: str, *, after: int = 0) -> dict[str, str]:
        """The newest step of a kind; beyond so many steps of all kinds."""

        async def has_come() -> bool:
            return any(step["step"] == name for step in self.steps[after:])

        await self.process.wait_until(has_come, deadline_seconds=READY_SECONDS)
        return [step for step in self.steps[after:] if step["step"] == name][-1]

    async def run(self, *words: str) -> tuple[int, str]:
        """Another command of `channel`; its exit code and what it printed."""
        self._commands += 1
        name = f"command{self._commands}"
        command = [*self._command, words[0], "-c", "config.yaml", *words[1:]]
        process = Process(name, command, folder=self.folder, environment=ENVIRONMENT)
        process.launch()
        return await process.wait(deadline_seconds=READY_SECONDS), process.output

    async def call(
        self, method: str, path: str, body: object = None, *, status: int = 200, data: bytes | None = None
    ) -> Any:
        """Ask the channel; the answer has this status."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as http,
            http.request(method, f"{self.url}{path}", json=body, data=data, headers=headers) as response,
        ):
            raw = await response.read()
            assert response.status == status, raw
            return json.loads(raw) if response.content_type == "application/json" else raw

    async def operate(self, operation: str, payload: Mapping[str, object], *, status: int = 200) -> Any:
        """One operation of the contract."""
        body = {"method": "loong_channel_bridge_v1", "id": "1", "operation": operation, "payload": payload}
        answer = await self.call("POST", "/bridge", body, status=status)
        return answer["payload"] if status == 200 else answer

    async def receive(self, *, wait_ms: int = 20_000, most: int = 20) -> list[dict[str, Any]]:
        """The next batch."""
        batch = await self.operate("receive_batch", {"wait_ms": wait_ms, "max": most})
        return list(batch["messages"])

    async def receive_one(self) -> dict[str, Any]:
        """The next item, acknowledged."""
        (item,) = await self.receive(most=1)
        await self.operate("ack_inbound", {"message": {"delivery": item["delivery"]}})
        return item

    async def until_connected(self, account: str = "default") -> None:
        """Wait for the link."""
        async with asyncio.timeout(READY_SECONDS):
            while (await self.call("GET", f"/v1/accounts/{account}"))["state"] != "CONNECTED":
                await asyncio.sleep(0.05)

    async def link(self, phone: Account, *, is_by_code: bool = False, after: int = 0) -> None:
        """Scan the code on show, or type the one that follows."""
        step = await self.step("qr", after=after)
        if is_by_code:
            await phone.phone.enter_code((await self.step("code"))["code"])
        else:
            await phone.phone.scan(step["data"])
        await self.step("linked", after=after)
        await self.until_connected()

    async def aclose(self) -> None:
        """Make sure it is gone."""
        if self.process.is_running:
            await self.process.stop()
        end_hosts(self.folder)

    async def _is_up(self) -> bool:
        try:
            await self.call("GET", "/v1/accounts")
        except (aiohttp.ClientError, TimeoutError):
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStage:
    """A linked channel, its own phone and Ben's."""

    channel: ChannelProcess
    wa: Simulator
    own: Account
    ben: Account


@asynccontextmanager
async def channel_stage(
    folder: Path, ports: PortPool, *, is_by_code: bool = False, **channel: Any
) -> AsyncIterator[ChannelStage]:
    """A linked channel, its own phone and Ben's."""
    async with simulator(folder / "wa") as wa:
        own, ben = wa.add_account(OWN, "Alice"), wa.add_account(BEN, "Ben")
        made = ChannelProcess(folder / "channel", wa, port=ports.reserve(), channel=channel)
        try:
            await made.start(*(("--pairing-code", f"+{OWN[:1]} {OWN[1:]}") if is_by_code else ()))
            await made.link(own, is_by_code=is_by_code)
            yield ChannelStage(channel=made, wa=wa, own=own, ben=ben)
        finally:
            await made.aclose()
        assert "Traceback" not in made.process.output, made.process.output[-4000:]
