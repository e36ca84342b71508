"""What the API answers: JSON, or an error as the Matrix specification has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from mautrix_whatsapp_py.errors import BridgeError

Json: TypeAlias = Mapping[str, Any]
MAX_BODY_BYTES = 64 * 1024
CORS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Authorization",
}


class ApiError(BridgeError):
    """The request cannot be served."""

    def __init__(self, status: int, errcode: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.errcode = errcode


def not_found(text: str) -> ApiError:
    """Something that was named is not there, or not the caller's."""
    return ApiError(404, "M_NOT_FOUND", text)


def bad_state(text: str) -> ApiError:
    """A step that is not the one that is due."""
    return ApiError(400, "M_BAD_STATE", text)


def bad_parameter(text: str) -> ApiError:
    """A value that cannot be."""
    return ApiError(400, "M_INVALID_PARAM", text)


def answer(data: Json, *, status: int = 200) -> web.Response:
    """An answer."""
    return web.json_response(dict(data), status=status, headers={"Cache-Control": "no-store"})


def refusal(error: ApiError) -> web.Response:
    """An error."""
    return web.json_response({"errcode": error.errcode, "error": error.text}, status=error.status)


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body: an object, which an absent body is too."""
    raw = bytearray()
    async for chunk in request.content.iter_chunked(8192):
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise ApiError(413, "M_TOO_LARGE", "The body is too large.")
    if not raw:
        return {}
    try:
        body = msgspec.json.decode(bytes(raw))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "M_NOT_JSON", "The body is no JSON.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "M_BAD_JSON", "The body is no JSON object.")
    return body


def get_text(body: Json, key: str, *, is_required: bool = False) -> str:
    """A text of the body; empty when it is absent and may be."""
    value = body.get(key)
    if value is None and not is_required:
        return ""
    if not isinstance(value, str) or "\0" in value or not _is_unicode(value):
        raise ApiError(400, "M_BAD_JSON", f"{key} has to be a text.")
    return value


def _is_unicode(text: str) -> bool:
    """Whether a text can be stored: JSON can write halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
