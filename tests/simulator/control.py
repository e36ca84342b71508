"""A small HTTP interface for a person without a phone: accounts, pairing, messages, network."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from tests.simulator import groups, kinds
from tests.simulator.accounts import Account
from tests.simulator.jids import GROUP, PN, Jid
from tests.simulator.launcher_command import host_command
from tests.simulator.outgoing import Received
from tests.simulator.pairing import PairingRefusedError
from tests.simulator.proxy import Network
from tests.simulator.server import Simulator

_HELP: Final = """\
GET    /                                  this text
GET    /host-command                      what to write into whatsapp.host_command
GET    /accounts                          all accounts with their linked devices
POST   /accounts                          {"number": "15550001111", "name": "Alice"}
POST   /accounts/NUMBER/scan              {"qr": "https://wa.me/settings/linked_devices#…"}
POST   /accounts/NUMBER/code              {"code": "ABCD-EFGH"}
DELETE /accounts/NUMBER/devices/N         unlink a companion
POST   /accounts/NUMBER/messages          {"to": "15550002222 or a group id", "text": "hello"}
GET    /accounts/NUMBER/inbox             what this phone has received
POST   /groups                            {"creator": "1555…", "subject": "Choir", "members": ["1555…"]}
POST   /network                           {"state": "UP", "AWAY" or "BLACK_HOLE"}
GET    /violations                        what clients did wrong so far
"""


class Control:
    """Answers the requests of one person about one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._inboxes: defaultdict[str, list[Received]] = defaultdict(list)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[_explain_errors])
        app.router.add_get("/", self._on_help)
        app.router.add_get("/host-command", self._on_host_command)
        app.router.add_get("/accounts", self._on_accounts)
        app.router.add_post("/accounts", self._on_add_account)
        app.router.add_post("/accounts/{number}/scan", self._on_scan)
        app.router.add_post("/accounts/{number}/code", self._on_code)
        app.router.add_delete("/accounts/{number}/devices/{device}", self._on_unlink)
        app.router.add_post("/accounts/{number}/messages", self._on_send)
        app.router.add_get("/accounts/{number}/inbox", self._on_inbox)
        app.router.add_post("/groups", self._on_add_group)
        app.router.add_post("/network", self._on_network)
        app.router.add_get("/violations", self._on_violations)
        return app

    async def _on_help(self, _request: web.Request) -> web.Response:
        return web.Response(text=_HELP)

    async def _on_host_command(self, _request: web.Request) -> web.Response:
        command = host_command(self._simulator)
        return web.json_response({"list": command, "shell": shlex.join(command)})

    async def _on_accounts(self, _request: web.Request) -> web.Response:
        return web.json_response([_describe(account) for account in self._simulator.world.accounts])

    async def _on_add_account(self, request: web.Request) -> web.Response:
        asked = await request.json()
        account = self._simulator.add_account(asked["number"], asked.get("name", asked["number"]))
        return web.json_response(_describe(account), status=201)

    async def _on_scan(self, request: web.Request) -> web.Response:
        device = await self._account(request).phone.scan((await request.json())["qr"])
        return web.json_response({"device": device.number})

    async def _on_code(self, request: web.Request) -> web.Response:
        device = await self._account(request).phone.enter_code((await request.json())["code"])
        return web.json_response({"device": device.number})

    async def _on_unlink(self, request: web.Request) -> web.Response:
        account = self._account(request)
        device = account.devices.get(int(request.match_info["device"]))
        if device is None:
            raise web.HTTPNotFound(text="no such device")
        account.phone.unlink(device)
        return web.json_response({})

    async def _on_send(self, request: web.Request) -> web.Response:
        asked = await request.json()
        sent_id = await self._account(request).phone.send(self._chat(asked["to"]), kinds.text(asked["text"]))
        return web.json_response({"id": sent_id})

    async def _on_inbox(self, request: web.Request) -> web.Response:
        account = self._account(request)
        kept = self._inboxes[account.pn.user]
        while not account.phone.inbox.empty():
            kept.append(account.phone.inbox.get_nowait())
        return web.json_response([self._show(received) for received in kept])

    async def _on_add_group(self, request: web.Request) -> web.Response:
        asked = await request.json()
        people = [self._by_number(number) for number in asked.get("members", [])]
        creator = self._by_number(asked["creator"])
        group = groups.create_group(self._simulator.world, creator, asked["subject"], people)
        return web.json_response({"id": group.jid.user}, status=201)

    async def _on_network(self, request: web.Request) -> web.Response:
        self._simulator.proxy.network = Network[(await request.json())["state"]]
        return web.json_response({})

    async def _on_violations(self, _request: web.Request) -> web.Response:
        return web.json_response([str(violation) for violation in self._simulator.trace.violations])

    def _account(self, request: web.Request) -> Account:
        return self._by_number(request.match_info["number"])

    def _by_number(self, number: str) -> Account:
        account = self._simulator.world.accounts.by_number(number)
        if account is None:
            raise web.HTTPNotFound(text=f"no account {number}")
        return account

    def _chat(self, to: str) -> Jid:
        return Jid(to, GROUP) if to in self._simulator.world.groups else Jid(self._by_number(to).pn.user, PN)

    def _show(self, received: Received) -> dict[str, Any]:
        sender = self._simulator.world.accounts.require(received.sender)
        fields = [field.name for field, _ in received.message.ListFields()]
        return {
            "id": received.message_id,
            "chat": str(received.chat),
            "from": sender.pn.user,
            "text": received.text,
            "fields": fields,
        }


def _describe(account: Account) -> dict[str, Any]:
    return {
        "number": account.pn.user,
        "lid": account.lid.user,
        "name": account.name,
        "devices": [{"device": d.number, "connected": bool(d.connection)} for d in account.devices.values()],
    }


@web.middleware
async def _explain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except PairingRefusedError as error:
        return web.json_response({"error": str(error)}, status=409)
    except (KeyError, ValueError, json.JSONDecodeError) as error:
        return web.json_response({"error": f"bad request: {error}"}, status=400)
