"""One real Synapse on 127.0.0.1."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from tests.homeserver.accounts import Account, decode_account, log_in
from tests.homeserver.births import Nursery
from tests.homeserver.client import MatrixClient, request_json
from tests.homeserver.events import Json
from tests.homeserver.processes import Process
from tests.homeserver.registration import Registration
from tests.homeserver.synapse_config import SHARED_SECRET, SqliteDatabase, SynapseDatabase, write_config

PROGRAM = "synapse.app.homeserver"
START_SECONDS = 60.0
PASSWORD = "correct horse battery staple"


class Synapse:
    """Starts, stops, restarts and dies on request; makes users and clients."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        registrations: Sequence[Registration] = (),
        database: SynapseDatabase | None = None,
        template: Path | None = None,
        server_name: str = "localhost",
        overrides: Mapping[str, object] | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        self.port = port
        self.server_name = server_name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if template is not None:
            shutil.copytree(template, folder, dirs_exist_ok=True)
        paths = [item.write(folder / f"registration-{item.id}.yaml") for item in registrations]
        config = write_config(
            folder,
            port=port,
            server_name=server_name,
            database=database or SqliteDatabase(),
            registrations=paths,
            overrides=overrides or {},
        )
        command = [sys.executable, "-m", PROGRAM, "-c", str(config)]
        self._process = Process("synapse", command, folder=folder, environment={}, nursery=nursery)
        self._clients: list[MatrixClient] = []

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> Process:
        """The process, for its memory and its end."""
        return self._process

    @property
    def log(self) -> str:
        """What Synapse logged at warning and above."""
        path = self.folder / "synapse.log"
        return path.read_text() if path.exists() else ""

    async def start(self) -> None:
        """Start and wait until it answers."""
        self._process.launch()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            await self._process.wait_until(lambda: self._answers(http), deadline_seconds=START_SECONDS)

    async def stop(self) -> None:
        """Stop cleanly."""
        await self._process.stop()

    async def kill(self) -> None:
        """End at once, as a crash does."""
        await self._process.kill()

    async def restart(self) -> None:
        """Stop cleanly, start again; clients reconnect by themselves."""
        await self.stop()
        await self.start()

    async def aclose(self) -> None:
        """Close the clients made here and make sure the process is gone."""
        for client in self._clients:
            await client.aclose()
        self._clients.clear()
        if self._process.is_running:
            await self._process.stop()

    def discard(self) -> None:
        """Make sure the process is gone, without a loop."""
        self._process.discard()

    async def create_user(self, localpart: str, *, password: str = PASSWORD, is_admin: bool = False) -> Account:
        """Register through the shared-secret endpoint."""
        url = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as http:
            nonce = str((await request_json(http, "GET", url))["nonce"])
            role = "admin" if is_admin else "notadmin"
            signed = "\0".join((nonce, localpart, password, role)).encode()
            mac = hmac.new(SHARED_SECRET.encode(), signed, hashlib.sha1).hexdigest()
            body: Json = {
                "nonce": nonce,
                "username": localpart,
                "password": password,
                "admin": is_admin,
                "mac": mac,
            }
            return decode_account(await request_json(http, "POST", url, body=body))

    async def login(self, localpart: str, *, password: str = PASSWORD) -> Account:
        """A new device of an existing user."""
        return await log_in(self.url, localpart, password)

    async def create_client(self, localpart: str, *, is_admin: bool = False) -> MatrixClient:
        """A new user with a syncing client, closed with this server."""
        return await self.client_for(await self.create_user(localpart, is_admin=is_admin))

    async def client_for(self, account: Account) -> MatrixClient:
        """A syncing client of an account, closed with this server."""
        client = MatrixClient(self.url, user_id=account.user_id, access_token=account.access_token)
        self._clients.append(client)
        await client.start()
        return client

    async def _answers(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/_matrix/client/versions") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False
