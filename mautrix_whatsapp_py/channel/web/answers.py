"""Answers, and the one place where faults become status codes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from mautrix_whatsapp_py.channel.faults import ChannelFault, FaultKind, bad_request
from mautrix_whatsapp_py.errors import StoreError

log = logging.getLogger(__name__)

STATUS: Final[Mapping[FaultKind, int]] = {
    FaultKind.BAD_REQUEST: 400,
    FaultKind.NOT_ALLOWED: 403,
    FaultKind.UNKNOWN: 404,
    FaultKind.NOT_LINKED: 409,
    FaultKind.TOO_LARGE: 413,
    FaultKind.TOO_OFTEN: 429,
    FaultKind.AWAY: 503,
}
_JSON: Final = "application/json"
_TEXTS: Final[Mapping[int, str]] = {
    404: "There is no such operation.",
    405: "This address does not know that method.",
    413: "The body is too large.",
    415: "The Content-Type must be application/json.",
}
Body = TypeVar("Body")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why not, in one line."""

    error: str


def answer(value: object, *, status: int = 200) -> web.Response:
    """A value as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type=_JSON)


def refuse(status: int, text: str) -> web.Response:
    """A no, and why."""
    return answer(Problem(error=text), status=status)


@web.middleware
async def answer_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer; nothing of the error itself goes out."""
    try:
        return await handler(request)
    except ChannelFault as fault:
        return refuse(STATUS[fault.kind], fault.text)
    except web.HTTPException as error:
        return refuse(error.status, _TEXTS.get(error.status, "The request cannot be served."))
    except (web.RequestPayloadError, ConnectionError):
        return refuse(400, "The body broke off or could not be unpacked.")
    except StoreError as error:
        log.error("the channel's database failed (%s)", type(error.__cause__ or error).__name__)
        return refuse(503, "The database is away. Try again.")
    except Exception:
        log.exception("a request to the channel failed")
        return refuse(500, "Something unexpected went wrong; the log of the bridge says what.")


async def read_json(request: web.Request, kind: type[Body]) -> Body:
    """The body of a request; ChannelFault and HTTPException say what is wrong with it."""
    if request.content_type != _JSON:
        raise web.HTTPUnsupportedMediaType
    return decode(await request.read(), kind)


def decode(body: bytes, kind: type[Body]) -> Body:
    """JSON of a kind."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise bad_request(_explain(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise bad_request("The body is no JSON.") from None


def convert(value: Mapping[str, Any], kind: type[Body]) -> Body:
    """The words of a query, of a kind."""
    try:
        return msgspec.convert(dict(value), type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(_explain(error)) from None


def _explain(error: msgspec.ValidationError) -> str:
    """The library names the field and what it expects, never the value."""
    return " ".join(str(error).split())[:300]
