"""The provisioning API, version 3: how programs link and unlink accounts and open chats for users."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

from mautrix_whatsapp_py.errors import BridgeError
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.provisioning.accounts import CAPABILITIES, Accounts
from mautrix_whatsapp_py.provisioning.answers import CORS, ApiError, answer, get_text, read_object, refusal
from mautrix_whatsapp_py.provisioning.doorkeeper import Doorkeeper
from mautrix_whatsapp_py.provisioning.failures import of_error
from mautrix_whatsapp_py.provisioning.people import People
from mautrix_whatsapp_py.provisioning.processes import Processes, StepName
from mautrix_whatsapp_py.provisioning.steps import DISPLAY, FLOWS, USER_INPUT

log = logging.getLogger(__name__)

DESCRIPTION = "openapi.yaml"
SERVED = (
    ("GET", "/v3/whoami"),
    ("GET", "/v3/capabilities"),
    ("GET", "/v3/login/flows"),
    ("POST", "/v3/login/start/{flow_id}"),
    ("POST", f"/v3/login/step/{{process_id}}/{{step_id}}/{{type:{USER_INPUT}|{DISPLAY}}}"),
    ("POST", "/v3/login/cancel/{process_id}"),
    ("POST", "/v3/logout/{login_id}"),
    ("GET", "/v3/logins"),
    ("GET", "/v3/contacts"),
    ("POST", "/v3/search_users"),
    ("GET", "/v3/resolve_identifier/{identifier}"),
    ("POST", "/v3/create_dm/{identifier}"),
    ("POST", "/v3/create_group/{kind}"),
)
_UNSUPPORTED = (
    ("POST", "/v3/login/client_http/{rest:.*}"),
    ("POST", "/v3/login/step/{process_id}/{step_id}/cookies"),
    ("POST", "/v3/login/step/{process_id}/{step_id}/webauthn"),
    ("POST", "/v3/backfill/{room_id}"),
    ("GET", "/v3/image_pack/import"),
    ("POST", "/v3/image_pack/import"),
    ("GET", "/v3/image_pack/list"),
    ("POST", "/v3/resolve_media/{event_id}"),
    ("POST", "/v3/session_transfer/{rest:.*}"),
)
Serve = Callable[[web.Request, MxUserId], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """What the API works with."""

    doorkeeper: Doorkeeper
    accounts: Accounts
    processes: Processes
    people: People


class ProvisioningApi:
    """The routes."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self.app = web.Application(middlewares=[_with_cors, _answer_errors])
        router = self.app.router
        router.add_get(f"/{DESCRIPTION}", _describe)
        for (method, path), serve in zip(SERVED, self._serves(), strict=True):
            router.add_route(method, path, self._guarded(serve))
        for method, path in _UNSUPPORTED:
            router.add_route(method, path, self._guarded(_refuse))

    def _serves(self) -> tuple[Serve, ...]:
        """In the order of SERVED."""
        return (
            self._whoami,
            self._capabilities,
            self._flows,
            self._start,
            self._step,
            self._cancel,
            self._logout,
            self._logins,
            self._contacts,
            self._search,
            self._resolve,
            self._create_dm,
            self._create_group,
        )

    def _guarded(self, serve: Serve) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            return await serve(request, await self._deps.doorkeeper.require_caller(request))

        return handler

    async def _whoami(self, _request: web.Request, user: MxUserId) -> web.Response:
        return answer(await self._deps.accounts.whoami(user))

    async def _capabilities(self, _request: web.Request, _user: MxUserId) -> web.Response:
        return answer(CAPABILITIES)

    async def _flows(self, _request: web.Request, _user: MxUserId) -> web.Response:
        return answer({"flows": list(FLOWS)})

    async def _start(self, request: web.Request, user: MxUserId) -> web.Response:
        replaced = self._deps.accounts.get_own(user, request.query.get("login_id", ""))
        replaces = None if replaced is None else replaced.id
        return answer(await self._deps.processes.start(user, request.match_info["flow_id"], replaces=replaces))

    async def _step(self, request: web.Request, user: MxUserId) -> web.Response:
        where = request.match_info
        name = StepName(
            process_id=where["process_id"],
            step_id=where["step_id"],
            type=where["type"],
            txn_id=request.query.get("txn_id"),
        )
        return answer(await self._deps.processes.submit(user, name, await read_object(request)))

    async def _cancel(self, request: web.Request, user: MxUserId) -> web.Response:
        await self._deps.processes.cancel(user, request.match_info["process_id"])
        return answer({})

    async def _logout(self, request: web.Request, user: MxUserId) -> web.Response:
        await self._deps.accounts.logout(user, request.match_info["login_id"])
        return answer({})

    async def _logins(self, _request: web.Request, user: MxUserId) -> web.Response:
        return answer({"login_ids": self._deps.accounts.list_ids(user)})

    async def _contacts(self, request: web.Request, user: MxUserId) -> web.Response:
        login = await self._deps.accounts.require(user, request.query.get("login_id", ""))
        return answer({"contacts": await self._deps.people.list_contacts(login)})

    async def _search(self, request: web.Request, user: MxUserId) -> web.Response:
        query = get_text(await read_object(request), "query", is_required=True)
        login = await self._deps.accounts.require(user, request.query.get("login_id", ""))
        return answer({"results": await self._deps.people.search(login, query)})

    async def _resolve(self, request: web.Request, user: MxUserId) -> web.Response:
        login = await self._deps.accounts.require(user, request.query.get("login_id", ""))
        return answer(await self._deps.people.resolve(login, request.match_info["identifier"]))

    async def _create_dm(self, request: web.Request, user: MxUserId) -> web.Response:
        login = await self._deps.accounts.require(user, request.query.get("login_id", ""))
        chat, is_new = await self._deps.people.create_dm(login, request.match_info["identifier"])
        return answer(chat, status=201 if is_new else 200)

    async def _create_group(self, request: web.Request, user: MxUserId) -> web.Response:
        body = await read_object(request)
        login = await self._deps.accounts.require(user, request.query.get("login_id", ""))
        return answer(await self._deps.people.create_group(login, request.match_info["kind"], body))


def description_text() -> str:
    """The OpenAPI document."""
    return files(__package__).joinpath(DESCRIPTION).read_text(encoding="utf-8")


async def _describe(_request: web.Request) -> web.Response:
    return web.Response(text=description_text(), content_type="application/yaml")


async def _refuse(_request: web.Request, _user: MxUserId) -> web.Response:
    raise ApiError(501, "M_UNRECOGNIZED", "This bridge does not support that.")


@web.middleware
async def _with_cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let web clients of any origin read answers; what they may ask is a matter of their token."""
    response = web.Response() if request.method == "OPTIONS" else await handler(request)
    response.headers.update(CORS)
    return response


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return refusal(ApiError(error.status, "M_UNRECOGNIZED", "Unrecognized request"))
    except BridgeError as error:
        told = of_error(error)
        if told.status >= 500:
            log.warning("%s: %s", request.method, type(error).__name__)
        return refusal(told)
