"""Asks the homeserver whose token somebody holds."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout

from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import MxUserId, decode_mx_user
from mautrix_whatsapp_py.matrix.fields import decode_fields

_TIMEOUT = ClientTimeout(total=10)
_MAX_ANSWER_BYTES = 64 * 1024


class HttpIdentities:
    """The port MatrixIdentities."""

    def __init__(self, address: str, *, session: ClientSession) -> None:
        self._address = address
        self._session = session

    async def fetch_token_owner(self, token: str) -> MxUserId | None:
        """Whose access token this is."""
        headers = {"Authorization": f"Bearer {token}"}
        return await self._ask("/_matrix/client/v3/account/whoami", "user_id", headers=headers, query={})

    async def fetch_openid_owner(self, token: str) -> MxUserId | None:
        """Who proves themselves by this OpenID token."""
        path = "/_matrix/federation/v1/openid/userinfo"
        return await self._ask(path, "sub", headers={}, query={"access_token": token})

    async def _ask(
        self, path: str, field: str, *, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> MxUserId | None:
        url = f"{self._address}{path}"
        try:
            async with self._session.get(
                url, headers=headers, params=query, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                body = await response.content.read(_MAX_ANSWER_BYTES)
                status = response.status
        except (ClientError, OSError, TimeoutError) as error:
            raise MatrixUnreachable from error
        if status >= 500 or status == 429:
            raise MatrixUnreachable(status=status)
        user = decode_fields(body).get(field) if status == 200 else None
        return _decode_user(user)


def _decode_user(value: object) -> MxUserId | None:
    if not isinstance(value, str):
        return None
    try:
        decode_mx_user(value)
    except ValueError:
        return None
    return MxUserId(value)
