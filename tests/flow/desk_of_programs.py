"""The provisioning API of a bridge in memory, on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.answers import answer_errors
from mautrix_whatsapp_py.provisioning.accounts import About, Accounts
from mautrix_whatsapp_py.provisioning.api import ApiDeps, ProvisioningApi
from mautrix_whatsapp_py.provisioning.doorkeeper import Doorkeeper
from mautrix_whatsapp_py.provisioning.people import People, PeopleDeps
from mautrix_whatsapp_py.provisioning.processes import Processes
from tests.fakes.identities import FakeIdentities
from tests.fakes.matrix import BOT
from tests.flow.world import ALICE, PERMISSIONS, World

PREFIX = "/_matrix/provision"
SECRET = "the-shared-secret-of-this-test"
Answer = tuple[int, dict[str, Any]]


class Desk:
    """Asks the API as a program does."""

    def __init__(self, world: World, client: TestClient[web.Request, web.Application]) -> None:
        self.world = world
        self.client = client
        self.identities = FakeIdentities()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: MxUserId | None = ALICE,
        token: str | None = SECRET,
        **query: str,
    ) -> Answer:
        """A request; status and body of the answer."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if user is not None:
            query["user_id"] = user
        async with self.client.request(
            method, f"{PREFIX}{path}", json=body, headers=headers, params=query
        ) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            return response.status, await response.json()

    async def step(self, step: dict[str, Any], body: object = None, **how: Any) -> Answer:
        """Carry out a step."""
        path = f"/v3/login/step/{step['login_id']}/{step['step_id']}/{step['type']}"
        return await self.ask("POST", path, body or {}, **how)


def make_api(world: World, identities: FakeIdentities, *, secret: str | None = SECRET) -> ProvisioningApi:
    """The API of a world."""
    doorkeeper = Doorkeeper(
        secret=secret,
        allows_matrix=True,
        domain="localhost",
        identities=identities,
        may_log_in=lambda user: PERMISSIONS.get_permission(user).level >= PermissionLevel.USER,
    )
    about = About(homeserver="localhost", bot=BOT, command_prefix="!wa")
    people = PeopleDeps(talk=world.talk, openings=world.work.deps.openings, open_groups=world.open_groups)
    return ProvisioningApi(
        ApiDeps(
            doorkeeper=doorkeeper,
            accounts=Accounts(logins=world.logins, users=world.users, store=world.store, about=about),
            processes=Processes(world.attempts, world.clock),
            people=People(people),
        )
    )


@asynccontextmanager
async def opened_desk(world: World, *, secret: str | None = SECRET) -> AsyncIterator[Desk]:
    """A program that can ask."""
    identities = FakeIdentities()
    root = web.Application(middlewares=[answer_errors])
    root.add_subapp(PREFIX, make_api(world, identities, secret=secret).app)
    async with TestClient(TestServer(root)) as client:
        desk = Desk(world, client)
        desk.identities = identities
        yield desk
        # Requests that wait would keep the server.
        await world.attempts.stop()
