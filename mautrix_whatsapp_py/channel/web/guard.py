"""Who may speak to the channel: programs on this machine that know the token, and no web page."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Collection

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from mautrix_whatsapp_py.channel.web.answers import refuse

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
BRIDGE = "/bridge"


def make_guard(token: str, *, hosts: Collection[str], path: str = BRIDGE) -> Middleware:
    """Refuse foreign names of this machine (a page whose name was pointed here), pages, and strangers."""
    allowed = frozenset(host.lower() for host in hosts)
    expected = token.encode()
    prefixes = tuple({f"{BRIDGE}/", f"{path}/"})

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _host_of(request.headers.get(hdrs.HOST, "")) not in allowed:
            return refuse(403, "The Host header names another machine. Use the address of bridge_url.")
        if hdrs.ORIGIN in request.headers:
            return refuse(403, "Web pages may not use the channel.")
        given = _token_of(request, prefixes)
        if given is None:
            return _challenge("The request carries no token.")
        if not hmac.compare_digest(given.encode(errors="replace"), expected):
            log.warning("a request came with a wrong token")
            return _challenge("The token is wrong.")
        return await handler(request)

    return guard


def _challenge(text: str) -> web.Response:
    response = refuse(401, text)
    response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return response


def _host_of(header: str) -> str:
    """The name in a Host header without its port."""
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _token_of(request: web.Request, prefixes: tuple[str, ...]) -> str | None:
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    # For clients that can only be given an address; anywhere else in it a token would be in logs.
    if request.path.startswith(prefixes):
        return request.path.rpartition("/")[2]
    return None
