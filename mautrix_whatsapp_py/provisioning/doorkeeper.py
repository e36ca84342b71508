"""Who asks: somebody with the shared secret, or a user with a token of the homeserver."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from mautrix_whatsapp_py.errors import MatrixError
from mautrix_whatsapp_py.ids import MxUserId, decode_mx_user
from mautrix_whatsapp_py.ports_homeserver import MatrixIdentities
from mautrix_whatsapp_py.provisioning.answers import ApiError

OPENID = "openid:"
_MAX_USER_ID = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Lets users in."""

    secret: str | None
    """Opens every door; None when there is none."""
    allows_matrix: bool
    domain: str
    identities: MatrixIdentities
    may_log_in: Callable[[MxUserId], bool]

    async def require_caller(self, request: web.Request) -> MxUserId:
        """On whose behalf a request is made; ApiError when nobody may know."""
        token = _token_of(request)
        claimed = request.query.get("user_id", "")
        user = _decode_user(claimed) if claimed else None
        if self._is_secret(token):
            if user is None:
                raise ApiError(400, "M_MISSING_PARAM", "Name the user in the query parameter user_id.")
        else:
            user = await self._require_owner(token, user)
        if not self.may_log_in(user):
            raise ApiError(403, "M_FORBIDDEN", "User does not have login permissions")
        return user

    def _is_secret(self, token: str) -> bool:
        if self.secret is None:
            return False
        return hmac.compare_digest(token.encode(errors="replace"), self.secret.encode())

    async def _require_owner(self, token: str, claimed: MxUserId | None) -> MxUserId:
        owner: MxUserId | None = None
        # Only our homeserver is asked, so nobody can send us to places of their choice.
        is_ours = claimed is None or decode_mx_user(claimed)[1] == self.domain
        if self.allows_matrix and is_ours and _is_plain(token):
            try:
                owner = await self._fetch_owner(token)
            except MatrixError as error:
                raise ApiError(502, "M_UNKNOWN", "The homeserver could not be asked about the token.") from error
        if owner is None or decode_mx_user(owner)[1] != self.domain or claimed not in (None, owner):
            raise ApiError(401, "M_UNKNOWN_TOKEN", "Invalid auth token")
        return owner

    async def _fetch_owner(self, token: str) -> MxUserId | None:
        if token.startswith(OPENID):
            return await self.identities.fetch_openid_owner(token.removeprefix(OPENID))
        return await self.identities.fetch_token_owner(token)


def _token_of(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(401, "M_MISSING_TOKEN", "Missing auth token")
    return token.strip()


def _is_plain(token: str) -> bool:
    """Whether a token can be passed on in a header."""
    return token.isascii() and token.isprintable()


def _decode_user(text: str) -> MxUserId:
    try:
        localpart, server = decode_mx_user(text)
    except ValueError:
        localpart, server = "", ""
    if not (localpart and server) or len(text) > _MAX_USER_ID or not text.isprintable():
        raise ApiError(400, "M_INVALID_PARAM", "The query parameter user_id is no Matrix user id.")
    return MxUserId(text)
