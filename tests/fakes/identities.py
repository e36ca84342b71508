"""Tokens of a homeserver in memory: the port MatrixIdentities."""

from __future__ import annotations

from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.ports_homeserver import MatrixIdentities


class FakeIdentities:
    """Knows the tokens the test gave out."""

    def __init__(self) -> None:
        self.tokens: dict[str, MxUserId] = {}
        self.openid_tokens: dict[str, MxUserId] = {}
        self.is_reachable = True

    async def fetch_token_owner(self, token: str) -> MxUserId | None:
        self._require_reachable()
        return self.tokens.get(token)

    async def fetch_openid_owner(self, token: str) -> MxUserId | None:
        self._require_reachable()
        return self.openid_tokens.get(token)

    def _require_reachable(self) -> None:
        if not self.is_reachable:
            raise MatrixUnreachable


def _fits_the_port(fake: FakeIdentities) -> MatrixIdentities:
    return fake
