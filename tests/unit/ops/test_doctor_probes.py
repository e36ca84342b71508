"""What the doctor tries, on a homeserver and a bridge that answer as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.encryption import EncryptionSection
from mautrix_whatsapp_py.config.tree import AppserviceSection, DoublePuppetSection, HomeserverSection
from mautrix_whatsapp_py.ops import doctor_probes
from mautrix_whatsapp_py.ops.doctor_probes import (
    HEARD,
    check_client_version,
    check_doubles,
    check_encryption,
    check_ephemeral,
)
from mautrix_whatsapp_py.ops.findings import Finding, Outcome

BOT = "@whatsappbot:localhost"
DEVICE = {"unsigned": {"device_display_name": "WhatsApp bridge"}, "signatures": {BOT: {"ed25519:D": "s"}}}
SIGNED = {**DEVICE, "signatures": {BOT: {"ed25519:D": "s", "ed25519:self": "s"}}}


@dataclass(slots=True, kw_only=True)
class Site:
    """What the homeserver and the bridge say."""

    heard: int | None = 3
    sends_ephemeral: bool = True
    rooms: list[str] = field(default_factory=lambda: ["!dm:localhost"])
    typing_status: int = 200
    typed: list[bool] = field(default_factory=list)
    features: dict[str, bool] = field(default_factory=dict)
    devices: dict[str, Any] = field(default_factory=dict)
    double: tuple[int, dict[str, str]] = (200, {})
    address: str = ""

    async def on_heard(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer h"
        return web.json_response({} if self.heard is None else {"ephemeral": self.heard})

    async def on_rooms(self, request: web.Request) -> web.Response:
        assert request.query["user_id"] == BOT
        return web.json_response({"joined_rooms": self.rooms})

    async def on_typing(self, request: web.Request) -> web.Response:
        self.typed.append((await request.json())["typing"])
        if self.sends_ephemeral and self.heard is not None:
            self.heard += 1
        return web.json_response({"errcode": "M_FORBIDDEN"}, status=self.typing_status)

    async def on_versions(self, _request: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.11"], "unstable_features": self.features})

    async def on_keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"device_keys": {BOT: self.devices}})

    async def on_whoami(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer d"
        status, body = self.double
        return web.json_response(body, status=status)


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[tuple[Config, ClientSession]]:
    app, client = web.Application(), "/_matrix/client/v3"
    app.router.add_get(HEARD, site.on_heard)
    app.router.add_get(f"{client}/joined_rooms", site.on_rooms)
    app.router.add_put(f"{client}/rooms/{{room}}/typing/{{user}}", site.on_typing)
    app.router.add_get("/_matrix/client/versions", site.on_versions)
    app.router.add_post(f"{client}/keys/query", site.on_keys)
    app.router.add_get(f"{client}/account/whoami", site.on_whoami)
    async with TestServer(app) as server, ClientSession() as http:
        site.address = str(server.make_url("")).rstrip("/")
        config = Config(
            homeserver=HomeserverSection(address=site.address, domain="localhost"),
            appservice=AppserviceSection(as_token="a", hs_token="h", hostname="127.0.0.1", port=server.port or 0),
            data_folder=Path(),
        )
        yield config, http


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_probes, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(doctor_probes, "LOOK_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("site", "outcome", "typed"),
    [
        (Site(), Outcome.WELL, [True, False]),
        (Site(sends_ephemeral=False), Outcome.ILL, [True, False]),
        (Site(rooms=[]), Outcome.SKIPPED, []),
        (Site(heard=None), Outcome.SKIPPED, []),
        (Site(typing_status=403), Outcome.SKIPPED, [True]),
    ],
    ids=["come", "do not come", "no room", "no bridge", "refused"],
)
async def test_typing_comes_back(site: Site, outcome: Outcome, typed: list[bool]) -> None:
    async with running(site) as (config, http):
        found = await check_ephemeral(config, http)
    assert (found.outcome, site.typed) == (outcome, typed)
    assert bool(found.mend) == (outcome is Outcome.ILL)


async def test_typing_that_nobody_wants_is_not_tried() -> None:
    site = Site()
    async with running(site) as (config, http):
        appservice = replace(config.appservice, ephemeral_events=False)
        found = await check_ephemeral(replace(config, appservice=appservice), http)
    assert (found.outcome, site.typed) == (Outcome.SKIPPED, [])


@pytest.mark.parametrize(
    ("site", "signs", "outcomes"),
    [
        (Site(devices={"D": DEVICE}), False, {"encryption": Outcome.WELL, "device": Outcome.WELL}),
        (Site(devices={}), False, {"encryption": Outcome.WELL, "device": Outcome.ILL}),
        (Site(devices={"X": {}}), False, {"encryption": Outcome.WELL, "device": Outcome.ILL}),
        (
            Site(devices={"D": SIGNED}, features={"org.matrix.e2e_cross_signing": True}),
            True,
            {"encryption": Outcome.WELL, "device": Outcome.WELL, "signature": Outcome.WELL},
        ),
        (
            Site(devices={"D": DEVICE}, features={"org.matrix.e2e_cross_signing": False}),
            True,
            {"encryption": Outcome.ODD, "device": Outcome.WELL, "signature": Outcome.ODD},
        ),
        (
            Site(devices={"D": DEVICE}, features={"io.element.msc4190": False}),
            False,
            {"encryption": Outcome.ILL, "device": Outcome.WELL},
        ),
    ],
)
async def test_devices_and_flags(site: Site, signs: bool, outcomes: dict[str, Outcome]) -> None:
    async with running(site) as (config, http):
        encryption = EncryptionSection(allow=True, self_sign=signs)
        found = await check_encryption(replace(config, encryption=encryption), http)
    assert {one.name: one.outcome for one in found} == outcomes
    assert all(one.mend for one in found if one.outcome in (Outcome.ILL, Outcome.ODD))


async def test_flags_are_told() -> None:
    site = Site(
        devices={"D": DEVICE}, features={"org.matrix.msc3202": False, "org.matrix.msc2409": True, "x": True}
    )
    async with running(site) as (config, http):
        found, _ = await check_encryption(replace(config, encryption=EncryptionSection(allow=True)), http)
        assert found.text == "org.matrix.msc2409 on, org.matrix.msc3202 off"
        (off,) = await check_encryption(config, http)
        assert off.outcome is Outcome.SKIPPED


async def test_ciphers_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_probes, "CIPHERS", ("olm", "no_such_cipher"))
    async with running(Site()) as (config, http):
        (found,) = await check_encryption(replace(config, encryption=EncryptionSection(allow=True)), http)
    assert (found.outcome, "no_such_cipher" in found.text) == (Outcome.ILL, True)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, {"user_id": "@x:y"}), Outcome.WELL),
        (
            (403, {"errcode": "M_FORBIDDEN", "error": "Application service has not registered this user"}),
            Outcome.WELL,
        ),
        ((403, {"errcode": "M_FORBIDDEN", "error": "Application service cannot masquerade"}), Outcome.ILL),
        ((401, {"errcode": "M_UNKNOWN_TOKEN"}), Outcome.ILL),
    ],
)
async def test_tokens_for_users(answer: tuple[int, dict[str, str]], outcome: Outcome) -> None:
    site = Site(double=answer)
    async with running(site) as (config, http):
        puppets = DoublePuppetSection(secrets={"localhost": "as_token:d", "nowhere.example": "as_token:d"})
        ours, others = await check_doubles(replace(config, double_puppet=puppets), http)
        (none,) = await check_doubles(config, http)
    assert (ours.outcome, others.outcome, none.outcome) == (outcome, Outcome.ILL, Outcome.SKIPPED)
    assert "double_puppet.servers" in others.mend
    assert bool(ours.mend) == (outcome is Outcome.ILL)


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([], Outcome.SKIPPED),
        ([("TRANSIENT_DISCONNECT", "wa-connection-failed")], Outcome.SKIPPED),
        ([("CONNECTED", None)], Outcome.WELL),
        ([("CONNECTED", None), ("UNKNOWN_ERROR", "wa-client-outdated")], Outcome.ILL),
    ],
)
def test_the_version_of_the_client(states: list[tuple[str, str | None]], outcome: Outcome) -> None:
    links = [{"state": {"state_event": kind, "error": error}} for kind, error in states]
    found: Finding = check_client_version(links)
    assert found.outcome is outcome
