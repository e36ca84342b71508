"""Who is on the login page: a browser that came by a link, for half an hour."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.ports import Clock

SESSION_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser of one user."""

    id: str
    user: MxUserId
    form_token: str
    """Shows that a form was filled in on our page."""
    expires_at: float

    def has_sent(self, token: str) -> bool:
        """Whether a form is from this browser's page."""
        return hmac.compare_digest(self.form_token.encode(), token.encode(errors="replace"))


class Sessions:
    """One per user at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def open(self, user: MxUserId) -> Session:
        """Let a browser in; another one of the same user is out."""
        self._sessions = {key: one for key, one in self._sessions.items() if one.user != user}
        session = Session(
            id=secrets.token_urlsafe(24),
            user=user,
            form_token=secrets.token_urlsafe(24),
            expires_at=self._clock.monotonic() + SESSION_SECONDS,
        )
        self._sessions[session.id] = session
        return session

    def get(self, session_id: str) -> Session | None:
        """The session of a browser."""
        now = self._clock.monotonic()
        self._sessions = {key: one for key, one in self._sessions.items() if one.expires_at > now}
        return self._sessions.get(session_id)

    def close(self, session: Session) -> None:
        """Let nobody in by it any more."""
        self._sessions.pop(session.id, None)
