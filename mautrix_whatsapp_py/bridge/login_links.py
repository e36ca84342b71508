"""Links that open the login page for one user, once, for ten minutes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.ports import Clock

LINK_SECONDS = 600.0
PATH = "/login"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    digest: bytes
    expires_at: float


class LoginLinks:
    """The newest link of each user; they are gone with the process."""

    def __init__(self, *, address: str, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._offers: dict[MxUserId, _Offer] = {}

    def offer(self, user: MxUserId) -> str:
        """A link for a user; the one before opens nothing any more."""
        token = secrets.token_urlsafe(24)
        expires_at = self._clock.monotonic() + LINK_SECONDS
        self._offers[user] = _Offer(digest=_digest(token), expires_at=expires_at)
        return f"{self._address}{PATH}/open/{token}"

    def is_valid(self, token: str) -> bool:
        """Whether a link would open the page."""
        return self._find(token) is not None

    def use(self, token: str) -> MxUserId | None:
        """Whose link this is; it opens nothing any more."""
        user = self._find(token)
        if user is not None:
            del self._offers[user]
        return user

    def _find(self, token: str) -> MxUserId | None:
        now, digest = self._clock.monotonic(), _digest(token)
        self._offers = {user: offer for user, offer in self._offers.items() if offer.expires_at > now}
        found = [user for user, offer in self._offers.items() if secrets.compare_digest(offer.digest, digest)]
        return found[0] if found else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
