"""What the doctor sees of a machine, and how it tells it."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from mautrix_whatsapp_py.app.doctor import expected_registration
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.tree import (
    AppserviceSection,
    DatabaseSection,
    HomeserverSection,
    NetworkSection,
)
from mautrix_whatsapp_py.matrix.registration import build_registration, encode_registration
from mautrix_whatsapp_py.ops import doctor_local
from mautrix_whatsapp_py.ops.doctor_local import (
    LIBRARIES,
    check_database,
    check_disk,
    check_files,
    check_libraries,
    check_media,
    check_python,
    check_registration,
)
from mautrix_whatsapp_py.ops.doctor_network import check_homeserver, check_skew, check_whatsapp
from mautrix_whatsapp_py.ops.findings import Finding, Outcome, ill, is_ill, odd, skipped, to_json, to_text, well
from mautrix_whatsapp_py.ops.socks import SocksRefused, connect_through

DATE = "Sat, 21 Nov 2026 08:00:00 GMT"
AT_DATE = 1795248000.0
ROOT = Path(__file__).parents[3]


def config_in(folder: Path) -> Config:
    return Config(
        homeserver=HomeserverSection(address="http://127.0.0.1:1", domain="localhost"),
        appservice=AppserviceSection(as_token="a", hs_token="h"),
        database=DatabaseSection(uri=f"sqlite:///{folder}/bridge.db"),
        data_folder=folder,
    )


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_findings_are_told_with_their_mend() -> None:
    findings = [well("a", "is well"), odd("b", "is odd", "turn it"), skipped("c", "is hidden")]
    assert to_text(findings).splitlines() == [
        "     ok  a: is well",
        "warning  b: is odd",
        "         -> turn it",
        "skipped  c: is hidden",
    ]
    assert not is_ill(findings)
    told = json.loads(to_json([*findings, ill("d", "is ill", "mend it")]))
    assert told["well"] is False
    assert told["findings"][-1] == {"name": "d", "outcome": "error", "text": "is ill", "mend": "mend it"}


def test_this_machine_is_well() -> None:
    assert check_python().outcome is Outcome.WELL
    assert check_libraries().outcome is Outcome.WELL
    assert check_libraries(("aiohttp", "no-such-library")).text == "no-such-library missing"


def test_every_library_is_looked_for() -> None:
    """Those that the package depends on."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(LIBRARIES) == {re.split(r"[\[=<>~!]", name)[0] for name in declared}


def test_converters_load() -> None:
    assert check_media().outcome is Outcome.WELL
    missing = check_media(("aac", "no_such_encoder"))
    assert (missing.outcome, missing.text) == (Outcome.ILL, "FFmpeg has no no_such_encoder")


def test_converters_that_do_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_local, "_MEDIA_PROBE", "import no_such_converter")
    found = check_media()
    assert (found.outcome, "no_such_converter" in found.text, bool(found.mend)) == (Outcome.ILL, True, True)


def test_files_that_others_can_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.touch(mode=0o600)
    assert [finding.outcome for finding in check_files(config_in(tmp_path), path)] == [Outcome.WELL] * 2
    path.chmod(0o644)
    assert str(path) in by_name(list(check_files(config_in(tmp_path), path)))["permissions"].text
    assert check_disk(config_in(tmp_path)).name == "disk"


def test_a_registration_that_is_not_the_configurations(tmp_path: Path) -> None:
    config, path = config_in(tmp_path), tmp_path / "registration.yaml"
    assert check_registration(path, expected_registration(config)).outcome is Outcome.SKIPPED
    path.write_text(encode_registration(build_registration(config, as_token="a", hs_token="h")))
    assert check_registration(path, expected_registration(config)).outcome is Outcome.WELL
    path.write_text(encode_registration(build_registration(config, as_token="other", hs_token="h")))
    found = check_registration(path, expected_registration(config))
    assert (found.outcome, found.text.endswith("differ in: as_token")) == (Outcome.ILL, True)
    namespaces = expected_registration(config)["namespaces"]
    assert isinstance(namespaces, dict)
    path.write_text(json.dumps({**expected_registration(config), "namespaces": {**namespaces, "rooms": []}}))
    assert check_registration(path, expected_registration(config)).outcome is Outcome.WELL
    path.write_text("{")
    assert check_registration(path, expected_registration(config)).outcome is Outcome.ILL


async def test_databases(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    assert by_name((await check_database(config))[0])["database"].outcome is Outcome.SKIPPED
    (tmp_path / "bridge.db").write_text("no database at all, and long enough to be looked at")
    assert by_name((await check_database(config))[0])["database"].outcome is Outcome.ILL
    wrong = replace(config, database=DatabaseSection(uri="mysql://x"))
    assert by_name((await check_database(wrong))[0])["database"].outcome is Outcome.ILL


@pytest.mark.parametrize(("ahead", "outcome"), [(0, Outcome.WELL), (-9, Outcome.WELL), (11, Outcome.ODD)])
def test_clocks(ahead: float, outcome: Outcome) -> None:
    assert check_skew("clock", DATE, "theirs", now=AT_DATE + ahead).outcome is outcome
    assert check_skew("clock", "yesterday", "theirs").outcome is Outcome.SKIPPED


@asynccontextmanager
async def homeserver(
    ghost_error: str, *, bot: str = "@whatsappbot:localhost", token_status: int = 200
) -> AsyncIterator[str]:
    """One that knows our token or not, and our ghosts or not."""

    async def versions(_request: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.11"]})

    async def whoami(request: web.Request) -> web.Response:
        if token_status != 200:
            return web.json_response({"errcode": "M_UNKNOWN_TOKEN"}, status=token_status)
        user = request.query.get("user_id", bot)
        if "doctor" in user:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": ghost_error}, status=403)
        return web.json_response({"user_id": bot})

    app = web.Application()
    app.router.add_get("/_matrix/client/versions", versions)
    app.router.add_get("/_matrix/client/v3/account/whoami", whoami)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def look(tmp_path: Path, address: str) -> dict[str, Outcome]:
    config = replace(config_in(tmp_path), homeserver=HomeserverSection(address=address, domain="localhost"))
    async with ClientSession() as http:
        return {finding.name: finding.outcome for finding in await check_homeserver(config, http)}


async def test_homeservers(tmp_path: Path) -> None:
    async with homeserver("Application service has not registered this user") as address:
        assert set((await look(tmp_path, address)).values()) == {Outcome.WELL}
    async with homeserver("Application service cannot masquerade as this user.") as address:
        assert (await look(tmp_path, address))["ghosts"] is Outcome.ILL
    async with homeserver("No.", bot="@other:localhost") as address:
        found = await look(tmp_path, address)
        assert (found["bot"], found["ghosts"]) == (Outcome.ILL, Outcome.SKIPPED)
    async with homeserver("", token_status=401) as address:
        assert (await look(tmp_path, address))["token"] is Outcome.ILL
    assert await look(tmp_path, "http://127.0.0.1:1") == {"homeserver": Outcome.ILL}


class SocksProxy:
    """Answers as it is told and remembers what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.asked = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in self.answers:
            self.asked += await reader.read(1000)
            writer.write(answer)
        writer.close()


@asynccontextmanager
async def proxy(socks: SocksProxy) -> AsyncIterator[str]:
    server = await asyncio.start_server(socks.serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_socks_proxy_that_leads_somewhere(tmp_path: Path) -> None:
    socks = SocksProxy(b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    async with proxy(socks) as address:
        config = replace(config_in(tmp_path), network=NetworkSection(proxy=f"socks5://us%40er:pw@{address}"))
        async with ClientSession() as http:
            (finding,) = await check_whatsapp(config, http)
    assert finding.outcome is Outcome.WELL
    assert socks.asked.startswith(b"\x05\x01\x02\x01\x05us@er\x02pw\x05\x01\x00\x03\x10web.whatsapp.com\x01\xbb")


@pytest.mark.parametrize("answers", [(b"\x05\xff",), (b"\x05\x00", b"\x05\x05")])
async def test_a_socks_proxy_that_refuses(answers: tuple[bytes, ...]) -> None:
    async with proxy(SocksProxy(*answers)) as address:
        with pytest.raises(SocksRefused):
            await connect_through(f"socks5://{address}", "web.whatsapp.com", 443)
