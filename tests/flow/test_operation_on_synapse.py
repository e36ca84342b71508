"""A bridge as its operator runs it: the API, figures, and a log that tells nothing it must not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.homeserver import BridgeProcess, MatrixClient, PortPool, Registration, Synapse
from tests.simulator.api import Account, Simulator, host_command, simulator

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

SECRET = "shared-secret-of-the-operator-4711"
NUMBER, BEN_NUMBER = "15550001111", "15550002222"
WAIT_SECONDS = 60
ROOT = Path(__file__).parents[2]


@dataclass(slots=True, kw_only=True)
class Site:
    """Everything that runs."""

    wa: Simulator
    synapse: Synapse
    bridge: BridgeProcess
    registration: Registration
    alice: MatrixClient
    phone: Account
    ben: Account
    http: aiohttp.ClientSession
    metrics_port: int

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str = SECRET, status: int = 200
    ) -> dict[str, Any]:
        """Ask the API on behalf of alice."""
        async with self.http.request(
            method,
            f"{self.bridge.url}/_matrix/provision{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            params={"user_id": self.alice.user_id},
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == status, answer
            return answer


@pytest.fixture
async def site(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Site]:
    async with simulator(tmp_path / "wa") as wa, aiohttp.ClientSession() as http:
        port, synapse_port = ports.reserve(), ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        listener = {
            "port": synapse_port,
            "bind_addresses": ["127.0.0.1"],
            "type": "http",
            "resources": [{"names": ["client", "openid"], "compress": False}],
        }
        synapse = await make_synapse(registration, port=synapse_port, overrides={"listeners": [listener]})
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "provisioning": {"shared_secret": SECRET},
            "metrics": {"enabled": True, "listen": f"127.0.0.1:{(metrics_port := ports.reserve())}"},
            "logging": {"min_level": "debug", "format": "json"},
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        yield Site(
            wa=wa,
            synapse=synapse,
            bridge=bridge,
            registration=registration,
            alice=await synapse.create_client("alice"),
            phone=wa.add_account(NUMBER, "Alice"),
            ben=wa.add_account(BEN_NUMBER, "Ben"),
            http=http,
            metrics_port=metrics_port,
        )


async def test_a_day_of_an_operator(site: Site) -> None:
    """An account is linked, used and unlinked by a program; what the log tells of it all is safe to show."""
    code = await link_by_api(site)
    room = await open_chat_by_api(site)
    openid = await site.alice.request("POST", f"/user/{site.alice.user_id}/openid/request_token", body={})
    for token in (site.alice.access_token, f"openid:{openid['access_token']}"):
        assert (await site.ask("GET", "/v3/logins", token=token))["login_ids"] == [NUMBER]
    await site.alice.send_text(room, "the first secret sentence")
    await site.ben.phone.text(site.phone.pn, "the second secret sentence")
    await site.alice.wait_for_message(room, contains="second secret", deadline_seconds=WAIT_SECONDS)
    await check_figures(site)
    await check_doctor(site)
    await site.ask("POST", f"/v3/logout/{NUMBER}")
    assert site.phone.devices == {}
    assert (await site.ask("GET", "/v3/logins"))["login_ids"] == []
    await site.bridge.stop()
    forbidden = (code, SECRET, site.alice.access_token, openid["access_token"], NUMBER, BEN_NUMBER)
    tokens = (site.registration.as_token, site.registration.hs_token)
    check_log(site.bridge, forbidden=(*forbidden, *tokens, "secret sentence"))


async def link_by_api(site: Site) -> str:
    """Link alice's account; the code that was scanned."""
    step = await site.ask("POST", "/v3/login/start/qr")
    code: str = step["display_and_wait"]["data"]
    device = await site.phone.phone.scan(code)
    path = f"/v3/login/step/{step['login_id']}/{step['step_id']}/display_and_wait"
    while step["type"] != "complete":
        step = await site.ask("POST", path, {})
    assert step["complete"] == {"user_login_id": NUMBER}
    assert device.number in site.phone.devices
    return code


async def open_chat_by_api(site: Site) -> str:
    """A room with Ben."""
    async with asyncio.timeout(WAIT_SECONDS):
        while (await site.ask("GET", "/v3/whoami"))["logins"][0]["state"]["state_event"] != "CONNECTED":
            await asyncio.sleep(0.1)
    person = await site.ask("GET", f"/v3/resolve_identifier/+{BEN_NUMBER}")
    assert person["mxid"] == f"@whatsapp_{BEN_NUMBER}:localhost"
    await site.ask("GET", "/v3/resolve_identifier/+15559999999", status=404)
    assert isinstance((await site.ask("GET", "/v3/contacts"))["contacts"], list)
    chat = await site.ask("POST", f"/v3/create_dm/{BEN_NUMBER}", status=201)
    room: str = chat["dm_room_mxid"]
    await site.alice.join(room)
    return room


async def check_figures(site: Site) -> None:
    """What Prometheus reads as soon as both messages have crossed."""
    wanted = (
        'links{state="CONNECTED"} 1\n',
        "ready 1\n",
        'event_seconds_count{direction="to_matrix",kind="message"} 1\n',
        'event_seconds_count{direction="to_whatsapp",kind="message"} 1\n',
        "waiting_events{",
        "homeserver_seconds_count{",
        "database_seconds_count{",
        "host_resident_bytes{",
    )
    text, missing = "", list(wanted)
    async with asyncio.timeout(WAIT_SECONDS):
        while missing:
            async with site.http.get(f"http://127.0.0.1:{site.metrics_port}/metrics") as response:
                text = await response.text()
            missing = [one for one in wanted if f"\nmautrix_whatsapp_{one}" not in text]
            await asyncio.sleep(0.1)
    assert NUMBER not in text


async def check_doctor(site: Site) -> None:
    """The doctor finds all well, WhatsApp aside: the real one is not to be reached from everywhere."""
    command = (sys.executable, "-m", "mautrix_whatsapp_py", "doctor", "--json", "-c", str(site.bridge.config_path))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    told = {one["name"]: one for one in json.loads(output)["findings"]}
    assert {"configuration", "registration", "bot", "ghosts", "ping", "database", "clock"} <= told.keys()
    for name in ("typing and receipts", "client version"):
        assert told[name]["outcome"] == "ok", told[name]
    assert told[f"link …{NUMBER[-4:]} of {site.alice.user_id}"]["text"] == "CONNECTED"
    unwell = {name: one for name, one in told.items() if one["outcome"] == "error"}
    assert unwell.keys() <= {"whatsapp"}, unwell
    assert process.returncode == (2 if unwell else 0)


def check_log(bridge: BridgeProcess, *, forbidden: tuple[str, ...]) -> None:
    """Nothing in the log that must not be there, and something that must."""
    logs = [path.read_text(errors="replace") for path in bridge.folder.rglob("*.log")]
    text = "\n".join([bridge.output, *logs])
    assert '"level": "info"' in text
    found = [one for one in forbidden if one in text]
    assert found == []
    assert "Traceback" not in text
