"""Starts that fail say why in one line and with their exit code."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from mautrix_whatsapp_py.errors import ExitCode
from tests.conftest import MakeBridge, MakeSynapse
from tests.homeserver import BridgeProcess, PortPool, Registration
from tests.homeserver.fault_proxy import Fault, FaultProxy

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
def bridge_nursery() -> None:
    """Each is started as its users start it."""


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
    await fails(
        bridge(Registration(url=known.url, hs_token="another-token")), ExitCode.PING_FAILED, known.url, "hs_token"
    )
    await fails(bridge(port=busy_port), ExitCode.LISTENER, str(busy_port))
    await waits_to_be_reached(bridge(port=ports.reserve()))
    proxy = await FaultProxy(int(synapse.url.rpartition(":")[2])).start()
    await proxy.set_fault(Fault.REFUSE)
    late = make_bridge(proxy.url, known, port=port)
    late.process.launch()
    await _until_said(late, f"the homeserver at {proxy.url} does not answer; trying again")
    await proxy.set_fault(None)
    await _until_said(late, "ready: the bot is")
    assert await late.stop() == ExitCode.OK
    await proxy.stop()


async def waits_to_be_reached(bridge: BridgeProcess) -> None:
    """What may pass by itself ends no start: nobody at the address that the homeserver knows."""
    bridge.process.launch()
    await _until_said(bridge, "cannot reach the bridge at", "(502 M_CONNECTION_FAILED)", "registration.yaml")
    status, text = await _ask(f"{bridge.url}/_matrix/mau/ready")
    assert (status, json.loads(text)["waiting_for"]) == (500, ["start", "homeserver"])
    assert await bridge.stop() == ExitCode.OK
    assert "error: " not in bridge.output


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
    nowhere, port, metrics_port = f"http://127.0.0.1:{ports.reserve()}", ports.reserve(), ports.reserve()
    registration = Registration(url=f"http://127.0.0.1:{port}")
    sections = {"metrics": {"enabled": True, "listen": f"127.0.0.1:{metrics_port}"}}
    first = make_bridge(nowhere, registration, port=port, sections=sections)
    first.process.launch()
    await _until_said(first, f"the homeserver at {nowhere} does not answer; trying again in")
    await first.process.wait_until(partial(_answers, first), deadline_seconds=DEADLINE_SECONDS)
    await check_what_a_waiting_bridge_tells(first, metrics_port)
    uri = f"sqlite:///{first.folder / 'bridge.db'}"
    second = make_bridge(nowhere, registration, port=port, database_uri=uri)
    await fails(second, ExitCode.DATA_FOLDER, "Another bridge is running")
    assert await first.stop() == ExitCode.OK


async def check_what_a_waiting_bridge_tells(bridge: BridgeProcess, metrics_port: int) -> None:
    """It lives, it waits for its homeserver, it takes nothing."""
    status, text = await _ask(f"{bridge.url}/_matrix/mau/live")
    assert status == 200
    status, text = await _ask(f"{bridge.url}/_matrix/mau/ready")
    assert (status, json.loads(text)) == (500, {"ready": False, "waiting_for": ["start", "homeserver"]})
    status, text = await _ask(f"{bridge.url}/_matrix/app/v1/transactions/1", bridge.registration.hs_token)
    assert status == 503
    status, text = await _ask(f"http://127.0.0.1:{metrics_port}/metrics")
    assert "\nmautrix_whatsapp_ready 0\n" in text
    assert 'mautrix_whatsapp_homeserver_seconds_count{method="GET",outcome="none"}' in text


async def _ask(url: str, token: str = "") -> tuple[int, str]:
    """A question, or with a token a transaction of the homeserver's."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    method, body = ("PUT", {"events": []}) if token else ("GET", None)
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, headers=headers, json=body) as answer,
    ):
        return answer.status, await answer.text()


async def _answers(bridge: BridgeProcess) -> bool:
    """Whether it listens: it says that it waits some moments before."""
    try:
        return (await _ask(f"{bridge.url}/_matrix/mau/live"))[0] == 200
    except aiohttp.ClientConnectionError:
        return False


async def _until_said(bridge: BridgeProcess, *texts: str) -> None:
    async def is_said() -> bool:
        return all(text in bridge.output for text in texts)

    await bridge.process.wait_until(is_said, deadline_seconds=DEADLINE_SECONDS)
