"""The bridge as its users run it: a process with a configuration and a registration."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from tests.homeserver.births import Nursery
from tests.homeserver.hosts import end_hosts
from tests.homeserver.processes import Process
from tests.homeserver.registration import Registration

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "mautrix_whatsapp_py"
READY_SECONDS = 60.0
# Output must be in the file before a kill, and imports must find this checkout from any folder.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}


class BridgeProcess:
    """Writes its configuration into a folder once; starts, stops and dies as often as a test likes."""

    def __init__(
        self,
        folder: Path,
        *,
        homeserver_url: str,
        registration: Registration,
        port: int,
        database_uri: str | None = None,
        sections: Mapping[str, Mapping[str, object]] | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port
        self.config_path = folder / "config.yaml"
        self.registration = registration
        self.registration_path = registration.write(folder / "registration.yaml")
        uri = database_uri or f"sqlite:///{folder / 'bridge.db'}"
        base = _base_config(homeserver_url, registration, port, uri)
        merged = {
            name: {**base.get(name, {}), **(sections or {}).get(name, {})} for name in {*base, *(sections or {})}
        }
        self.config_path.write_text(json.dumps(merged, indent=2))
        self.config_path.chmod(0o600)
        command = [sys.executable, "-m", PROGRAM, "-c", "config.yaml", "-r", "registration.yaml"]
        self._process = Process("bridge", command, folder=folder, environment=ENVIRONMENT, nursery=nursery)
        self.has_been_ready = False

    @property
    def process(self) -> Process:
        """The process, for its output, its memory and its end."""
        return self._process

    @property
    def output(self) -> str:
        """All it printed, over all its starts."""
        return self._process.output

    @property
    def url(self) -> str:
        """Where its appservice listener answers."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *extra: str, deadline_seconds: float = READY_SECONDS) -> None:
        """Start and wait until it calls itself ready."""
        self._process.launch(*extra)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            await self._process.wait_until(lambda: self._is_ready(http), deadline_seconds=deadline_seconds)
        self.has_been_ready = True

    async def run_to_exit(self, *extra: str, deadline_seconds: float = READY_SECONDS) -> int:
        """Start and return the exit code; for starts that are meant to fail or to end."""
        self._process.launch(*extra)
        return await self._process.wait(deadline_seconds=deadline_seconds)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await self._process.stop()

    async def kill(self) -> None:
        """SIGKILL."""
        await self._process.kill()

    async def restart(self) -> None:
        """Stop cleanly and start again."""
        await self.stop()
        await self.start()

    async def aclose(self) -> None:
        """Make sure it is gone."""
        if self._process.is_running:
            await self._process.stop()
        end_hosts(self.folder)

    def discard(self) -> None:
        """Make sure it is gone, without a loop."""
        self._process.discard()

    async def _is_ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/_matrix/mau/ready") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


async def run_program(*words: str) -> str:
    """Run a command of the program to its end; what it printed. AssertionError when it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mautrix_whatsapp_py", *words),
        env={**ENVIRONMENT, "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def _base_config(
    url: str, registration: Registration, port: int, database_uri: str
) -> dict[str, dict[str, object]]:
    return {
        "homeserver": {"address": url, "domain": registration.server_name},
        "appservice": {
            "address": f"http://127.0.0.1:{port}",
            "hostname": "127.0.0.1",
            "port": port,
            "id": registration.id,
            "bot": {"username": registration.bot_localpart},
            "as_token": registration.as_token,
            "hs_token": registration.hs_token,
            "username_template": registration.ghost_prefix + "{{.}}",
        },
        "database": {"uri": database_uri},
        # All of it is searched for secrets when the test is over.
        "logging": {"min_level": "debug"},
        # Otherwise the first message after a login waits a while for history, which few tests have.
        "backfill": {"enabled": False},
        "bridge": {
            "permissions": {
                "*": "relay",
                registration.server_name: "user",
                f"@admin:{registration.server_name}": "admin",
            }
        },
    }
