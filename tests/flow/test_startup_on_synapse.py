"""Starts that fail say why in one line and with their exit code."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import ExitCode
from tests.conftest import MakeBridge, MakeSynapse
from tests.homeserver import BridgeProcess, PortPool, Registration

pytestmark = pytest.mark.synapse

Sections = Mapping[str, Mapping[str, object]]
DEADLINE_SECONDS = 30


async def fails(bridge: BridgeProcess, code: ExitCode, *texts: str) -> None:
    """Start a bridge that must end with a code and one line that holds the texts."""
    assert await bridge.run_to_exit() == code
    (line,) = [line for line in bridge.output.splitlines() if line.startswith("error: ")]
    for text in texts:
        assert text in line
    assert "Traceback" not in bridge.output


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


async def test_what_the_homeserver_has_against_us(
    make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool, busy_port: int
) -> None:
    port = ports.reserve()
    known = Registration(url=f"http://127.0.0.1:{port}")
    synapse = await make_synapse(known)

    def bridge(
        registration: Registration = known, *, port: int = port, sections: Sections | None = None
    ) -> BridgeProcess:
        return make_bridge(synapse.url, registration, port=port, sections=sections)

    await fails(
        bridge(Registration(url=known.url, as_token="another-token")), ExitCode.TOKEN_REFUSED, "registration.yaml"
    )
    await fails(
        bridge(Registration(url=known.url, bot_localpart="stranger")),
        ExitCode.WRONG_USER,
        "@stranger:localhost",
    )
    other = ports.reserve()
    address = f"http://127.0.0.1:{other}"
    await fails(
        bridge(port=other, sections={"appservice": {"address": address}}),
        ExitCode.PING_FAILED,
        synapse.url,
        address,
    )
    await fails(bridge(port=busy_port), ExitCode.LISTENER, str(busy_port))


async def test_what_is_wrong_without_a_homeserver(
    make_bridge: MakeBridge, ports: PortPool, tmp_path: Path
) -> None:
    nowhere, port = f"http://127.0.0.1:{ports.reserve()}", ports.reserve()
    registration = Registration(url=f"http://127.0.0.1:{port}")
    (tmp_path / "file").write_text("")
    uri = f"sqlite:///{tmp_path / 'file' / 'bridge.db'}"
    await fails(
        make_bridge(nowhere, registration, port=port, database_uri=uri),
        ExitCode.DATA_FOLDER,
        str(tmp_path / "file"),
    )
    uri = "postgresql://nobody@127.0.0.1:1/nothing"
    await fails(
        make_bridge(nowhere, registration, port=port, database_uri=uri),
        ExitCode.DATABASE_UNAVAILABLE,
        "nothing on",
    )
    log_file = {"logging": {"file": str(tmp_path / "file" / "bridge.log")}}
    await fails(make_bridge(nowhere, registration, port=port, sections=log_file), ExitCode.LOGGING, "bridge.log")


async def test_one_folder_serves_one_bridge_which_may_be_stopped_while_it_waits(
    make_bridge: MakeBridge, ports: PortPool
) -> None:
    nowhere, port = f"http://127.0.0.1:{ports.reserve()}", ports.reserve()
    registration = Registration(url=f"http://127.0.0.1:{port}")
    first = make_bridge(nowhere, registration, port=port)
    first.process.launch()
    await _until_waiting(first)
    uri = f"sqlite:///{first.folder / 'bridge.db'}"
    second = make_bridge(nowhere, registration, port=port, database_uri=uri)
    await fails(second, ExitCode.DATA_FOLDER, "Another bridge is running")
    assert await first.stop() == ExitCode.OK


async def _until_waiting(bridge: BridgeProcess) -> None:
    async def waits() -> bool:
        return "does not answer (try 1 of" in bridge.output

    async with asyncio.timeout(DEADLINE_SECONDS):
        await bridge.process.wait_until(waits, deadline_seconds=DEADLINE_SECONDS)
