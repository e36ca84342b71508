"""Programs, browsers and readers of the channel come to a worker that stands by, over a real Postgres."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientError, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer, unused_port
from sqlalchemy import func, select

from mautrix_whatsapp_py.app.passing import Answers, passing_on
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.bridge.login_links import PATH, LoginLinks
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.channel import ChannelSection
from mautrix_whatsapp_py.config.tree import AppserviceSection, ProvisioningSection
from mautrix_whatsapp_py.matrix.answers import answer_errors
from mautrix_whatsapp_py.media.qr import QrDrawer
from mautrix_whatsapp_py.ops.leadership import LEAD
from mautrix_whatsapp_py.ops.passing.asking import LOST, NOBODY, TOO_LARGE
from mautrix_whatsapp_py.provisioning.answers import MAX_BODY_BYTES
from mautrix_whatsapp_py.provisioning.page import LoginPage, PageDeps
from mautrix_whatsapp_py.store.cluster_tables import http_post
from mautrix_whatsapp_py.store.leases import Lease, Leases
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress
from tests.fakes.identities import FakeIdentities
from tests.fakes.whatsapp import device_of
from tests.flow.attempts import NUMBER, qr
from tests.flow.channel_desk import TOKEN, desk_of
from tests.flow.desk_of_programs import PREFIX, SECRET, Desk, make_api
from tests.flow.world import ALICE, World

pytestmark = pytest.mark.parametrize("migrated", ["postgres"], indirect=True)
TTL_SECONDS = 60.0


class Workers:
    """Which of them leads, as the database says."""

    def __init__(self, address: DatabaseAddress, store: Store) -> None:
        assert isinstance(address, PostgresAddress)
        self.address = address
        self.leases = Leases(store)
        self.clock = SystemClock()
        self.lease: Lease

    async def elect(self, holder: str) -> None:
        claimed = await self.leases.claim(LEAD, holder, ttl_seconds=TTL_SECONDS)
        assert claimed is not None
        self.lease = claimed.lease

    @asynccontextmanager
    async def leading(self, config: Config) -> AsyncIterator[None]:
        """The worker that leads, whose listeners are there."""
        answers = Answers(config, self.address, self.lease, self.clock)
        async with AsyncExitStack() as stack:
            await answers.open(stack)
            services = [asyncio.ensure_future(service()) for service in answers.services]
            try:
                yield
            finally:
                for service in services:
                    service.cancel()
                await asyncio.gather(*services, return_exceptions=True)

    @asynccontextmanager
    async def standing_by(self, config: Config) -> AsyncIterator[TestClient[web.Request, web.Application]]:
        """What asks a worker that stands by."""
        root = web.Application(middlewares=[answer_errors])
        # A cookie that is marked as secure would not come back over the plain connection of the test.
        jar = CookieJar(unsafe=True, treat_as_secure_origin=[])
        async with passing_on(config, self.address, "w1", self.clock) as passing:
            for path, app in passing.mounts.items():
                root.add_subapp(path, app)
            async with TestClient(TestServer(root), cookie_jar=jar) as client:
                yield client
                passing.close()


@pytest.fixture
async def workers(migrated: DatabaseAddress, store: Store) -> Workers:
    workers = Workers(migrated, store)
    await workers.elect("w0")
    return workers


def config_of(port: int) -> Config:
    return Config(
        appservice=AppserviceSection(hostname="0.0.0.0", port=port),
        provisioning=ProvisioningSection(prefix=PREFIX, shared_secret=SECRET),
    )


def pages(world: World, links: LoginLinks) -> LoginPage:
    return LoginPage(
        PageDeps(
            links=links,
            attempts=world.attempts,
            logins=world.logins,
            artist=QrDrawer(),
            clock=world.clock,
            may_log_in=lambda _: True,
            address="http://bridge.example.com",
        )
    )


async def test_programs_and_browsers(world: World, workers: Workers) -> None:
    await world.open_dm()
    root = web.Application(middlewares=[answer_errors])
    links = LoginLinks(address="http://bridge.example.com", clock=world.clock)
    root.add_subapp(PREFIX, make_api(world, FakeIdentities()).app)
    root.add_subapp(PATH, pages(world, links).app)
    async with TestServer(root) as server, AsyncExitStack() as stack:
        config = config_of(server.port or 0)
        client = await stack.enter_async_context(workers.standing_by(config))
        leading = AsyncExitStack()
        await leading.enter_async_context(workers.leading(config))
        desk = Desk(world, client)
        assert (await desk.ask("GET", "/v3/whoami"))[1]["homeserver"] == "localhost"
        assert (await desk.ask("GET", "/v3/whoami", token="wrong"))[0] == 401
        starting = asyncio.create_task(desk.ask("POST", "/v3/login/start/qr"))
        pairing = await world.network.wait_for_pairing(1)
        pairing.give(qr("code1"))
        _, step = await starting
        assert step["display_and_wait"] == {"type": "qr", "data": "code1"}
        entry = links.offer(ALICE).removeprefix("http://bridge.example.com")
        async with client.post(entry) as home:
            assert (home.status, "Link an account" in await home.text()) == (200, True)
        async with client.get(f"{PATH}/qr/1.png") as drawn:
            assert (await drawn.read()).startswith(b"\x89PNG")
        async with client.get(f"{PATH}/events") as events:
            assert events.content_type == "text/event-stream"
            assert b"qr/1.png" in await events.content.readuntil(b"\n\n")
            pairing.give(qr("code2"))
            assert b"qr/2.png" in await events.content.readuntil(b"\n\n")
            pairing.give(world.network.link(device_of(NUMBER)))
            assert NUMBER.encode() in await events.content.readuntil(b"\n\n")
            assert (await events.content.readuntil(b"\n\n")).startswith(b"event: over")
        assert await desk.ask("GET", "/v3/logins") == (200, {"login_ids": [NUMBER]})
        assert (await desk.ask("POST", "/v3/search_users", {"query": "x" * MAX_BODY_BYTES}))[1] == {
            "errcode": "M_TOO_LARGE",
            "error": TOO_LARGE,
        }
        # Another one leads while somebody waits for a code.
        starting = asyncio.create_task(desk.ask("POST", "/v3/login/start/qr"))
        await world.network.wait_for_pairing(2)
        await workers.leases.release(workers.lease)
        await workers.elect("w2")
        assert await starting == (503, {"errcode": "M_UNKNOWN", "error": LOST})
        await leading.aclose()
        async with workers.leading(config):
            assert await desk.ask("GET", "/v3/logins") == (200, {"login_ids": [NUMBER]})
        await workers.leases.release(workers.lease)
        assert await desk.ask("GET", "/v3/logins") == (503, {"errcode": "M_UNKNOWN", "error": NOBODY})
        async with client.get(f"{PATH}/") as page:
            assert (page.status, page.headers["Retry-After"]) == (503, "5")
            assert "Content-Security-Policy" in page.headers
            assert NOBODY in await page.text()
        await world.attempts.stop()
    assert await world.store.read(_letters) == 0


async def _letters(tx: Tx) -> int:
    return int((await tx.execute(select(func.count()).select_from(http_post))).scalar() or 0)


async def test_readers_of_the_channel(store: Store, workers: Workers, tmp_path: Path) -> None:
    section = ChannelSection(enabled=True, token=TOKEN)
    async with desk_of(store, tmp_path / "desk", allow_from=("*",)) as desk:
        origin = str(desk.http.make_url("")).rstrip("/")
        leaders = replace(config_of(1), channel=replace(section, bridge_url=f"{origin}/bridge"))
        here = f"http://127.0.0.1:{unused_port()}"
        ours = replace(config_of(1), channel=replace(section, bridge_url=f"{here}/bridge"))
        async with workers.leading(leaders), workers.standing_by(ours) as client:
            http, headers = client.session, {"Authorization": f"Bearer {TOKEN}"}
            async with http.get(f"{here}/v1/accounts", headers={"Authorization": "Bearer wrong"}) as refused:
                assert refused.status == 401
            async with http.get(f"{here}/v1/accounts", headers=headers) as accounts:
                assert accounts.status == 200
            data = b"file" * 100_000
            async with http.post(f"{here}/v1/uploads?name=a.bin", data=data, headers=headers) as upload:
                assert (upload.status, (await upload.json())["size"]) == (200, len(data))
            async with http.get(f"{here}/v1/events/stream", headers=headers) as stream:
                await desk.hear("one")
                lines = [(await stream.content.readline()).decode() for _ in range(4)]
                assert json.loads(lines[2].removeprefix("data: "))["text"] == "one"
                async with http.ws_connect(f"{here}/v1/events/socket", headers=headers) as socket:
                    assert json.loads(await socket.receive_str())["text"] == "one"
                await workers.leases.release(workers.lease)
                await desk.hear("two")
                with pytest.raises(ClientError):
                    while await stream.content.readline():
                        pass
