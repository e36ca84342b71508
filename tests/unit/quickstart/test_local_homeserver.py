"""The Synapse that quickstart brings along."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from pathlib import Path

import aiohttp
import pytest

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ops import local_homeserver
from mautrix_whatsapp_py.ops.local_homeserver import LocalHomeserver
from mautrix_whatsapp_py.ops.local_place import is_port_free, is_synapse_installed
from tests.homeserver import PortPool, Registration
from tests.homeserver.processes import Process

pytestmark = pytest.mark.synapse


@pytest.fixture
def registration(tmp_path: Path) -> Path:
    return Registration(url=None).write(tmp_path / "registration.yaml")


async def log_in(server: LocalHomeserver) -> str:
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": server.user_id},
        "password": server.password,
    }
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{server.url}/_matrix/client/v3/login", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["user_id"])


async def test_it_has_one_user_who_is_still_there_after_a_restart(
    tmp_path: Path, ports: PortPool, registration: Path
) -> None:
    folder, port = tmp_path / 'a folder: "odd"', ports.reserve()
    passwords: list[str] = []
    for _ in range(2):
        async with LocalHomeserver(folder, port=port, registration=registration) as server:
            await server.ensure_user()
            assert await log_in(server) == "@me:localhost"
            passwords.append(server.password)
        assert is_port_free(port)
    assert passwords[0] == passwords[1]
    assert len(passwords[0]) >= 12


async def test_its_secrets_are_random_and_private(tmp_path: Path, ports: PortPool, registration: Path) -> None:
    port = ports.reserve()
    for name in ("one", "two"):
        async with LocalHomeserver(tmp_path / name, port=port, registration=registration):
            for file in ("homeserver.yaml", "credentials.json", "signing.key"):
                assert stat.S_IMODE((tmp_path / name / file).stat().st_mode) == 0o600
    one, two = ((tmp_path / name / "credentials.json").read_text() for name in ("one", "two"))
    shared = set(one.split()) & set(two.split())
    assert not {word for word in shared if len(word) > 14 and not word.endswith(":")}


async def test_a_taken_port_is_named_with_its_mend(tmp_path: Path, ports: PortPool, registration: Path) -> None:
    with socket.create_server(("127.0.0.1", ports.reserve())) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartupError, match=rf"port {port}.*homeserver\.address") as caught:
            async with LocalHomeserver(tmp_path / "homeserver", port=port, registration=registration):
                pass
    assert caught.value.code is ExitCode.LISTENER


async def test_two_starts_in_one_folder_do_not_meet(
    tmp_path: Path, ports: PortPool, registration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_homeserver, "LOCK_SECONDS", 0.0)
    async with LocalHomeserver(tmp_path, port=ports.reserve(), registration=registration):
        with pytest.raises(StartupError, match="in use by another start"):
            async with LocalHomeserver(tmp_path, port=ports.reserve(), registration=registration):
                pass


async def test_a_start_that_fails_points_at_the_log_and_leaves_nothing(tmp_path: Path, ports: PortPool) -> None:
    broken = tmp_path / "nowhere.yaml"
    port = ports.reserve()
    with pytest.raises(StartupError, match=r"ended while it started: see .*synapse.out") as caught:
        async with LocalHomeserver(tmp_path / "homeserver", port=port, registration=broken):
            pass
    assert caught.value.code is ExitCode.HOMESERVER_UNREACHABLE
    assert "nowhere.yaml" in (tmp_path / "homeserver" / "synapse.out").read_text()


async def test_damaged_credentials_are_not_replaced(tmp_path: Path, ports: PortPool, registration: Path) -> None:
    (tmp_path / "credentials.json").write_text("{")
    with pytest.raises(StartupError, match="is damaged") as caught:
        async with LocalHomeserver(tmp_path, port=ports.reserve(), registration=registration):
            pass
    assert caught.value.code is ExitCode.DATA_FOLDER
    assert (tmp_path / "credentials.json").read_text() == "{"


async def test_its_end_is_noticed(tmp_path: Path, ports: PortPool, registration: Path) -> None:
    async with LocalHomeserver(tmp_path, port=ports.reserve(), registration=registration) as server:
        end = asyncio.create_task(server.wait_for_end())
        assert not end.done()
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait_for(end, 10)


ROOT = Path(__file__).parents[3]
PARENT = """
import asyncio, sys
from pathlib import Path
from mautrix_whatsapp_py.ops.local_homeserver import LocalHomeserver

async def main():
    folder = Path(sys.argv[1])
    async with LocalHomeserver(folder, port=int(sys.argv[2]), registration=Path(sys.argv[3])) as server:
        (folder / "ready").touch()
        await server.wait_for_end()

asyncio.run(main())
"""


async def test_it_goes_when_its_parent_is_killed(tmp_path: Path, ports: PortPool, registration: Path) -> None:
    port, folder = ports.reserve(), tmp_path / "homeserver"
    command = [sys.executable, "-c", PARENT, str(folder), str(port), str(registration)]
    parent = Process("parent", command, folder=tmp_path, environment={"PYTHONPATH": str(ROOT)})

    async def is_ready() -> bool:
        return (folder / "ready").exists()

    try:
        parent.launch()
        await parent.wait_until(is_ready, deadline_seconds=60)
        await parent.kill()
    finally:
        parent.discard()
    # Only free again once nobody holds the lock: the next start waits for the orphan to go.
    async with LocalHomeserver(folder, port=port, registration=registration) as server:
        await server.ensure_user()


def test_synapse_is_found_without_loading_it() -> None:
    assert is_synapse_installed()
