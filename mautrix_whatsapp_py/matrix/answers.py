"""Answers of the endpoint to requests that cannot be served, and who may ask at all."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from mautrix_whatsapp_py.errors import StoreError

log = logging.getLogger(__name__)

_HTTP_ERRCODES: Mapping[int, str] = {404: "M_UNRECOGNIZED", 405: "M_UNRECOGNIZED", 413: "M_TOO_LARGE"}


def matrix_error(status: int, errcode: str, text: str) -> web.Response:
    """An error as the Matrix specification has it."""
    return web.json_response({"errcode": errcode, "error": text}, status=status)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer; nothing of the error itself goes out."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return matrix_error(error.status, _HTTP_ERRCODES.get(error.status, "M_UNKNOWN"), error.reason)
    except (web.RequestPayloadError, ConnectionError):
        return matrix_error(400, "M_NOT_JSON", "The body broke off or could not be unpacked.")
    except StoreError as error:
        # Not the error's own text: a database likes to quote the row it refuses.
        log.error("%s: the database failed (%s)", _name(request), type(error.__cause__ or error).__name__)
        return matrix_error(500, "M_UNKNOWN", "The database is not available.")
    except Exception:
        log.exception("%s failed", _name(request))
        return matrix_error(500, "M_UNKNOWN", "Something unexpected went wrong.")


def _name(request: web.Request) -> str:
    """The route of a request: its path may hold ids, its query the token."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else 'unknown path'}"


def token_check(token: str, *, public_prefixes: tuple[str, ...]) -> Middleware:
    """Let only the bearer of the token in, except to the public paths."""
    expected = token.encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_known = request.match_info.http_exception is None
        is_public = any(f"{request.path}/".startswith(f"{prefix}/") for prefix in public_prefixes)
        if is_known and not is_public:
            given = _get_token(request)
            if given is None:
                return matrix_error(401, "M_MISSING_TOKEN", "The request carries no access token.")
            if not hmac.compare_digest(given.encode(errors="replace"), expected):
                return matrix_error(403, "M_FORBIDDEN", "The access token is not that of the homeserver.")
        return await handler(request)

    return check


def _get_token(request: web.Request) -> str | None:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.query.get("access_token")
