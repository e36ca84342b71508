"""Where what happens now waits for the past of its chat; other chats go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId

Release = Callable[[], None]


class HistoryGate:
    """Closed for chats whose rooms are being filled, and for new chats of accounts whose past is on its way."""

    def __init__(self) -> None:
        self._closed: set[PortalId] = set()
        self._expecting: set[LoginId] = set()
        self._held: dict[PortalId, deque[Release]] = {}
        self._held_of: dict[PortalId, Login] = {}
        self._on_knock: Callable[[PortalId], None] = lambda _: None
        self._on_chunk: Callable[[LoginId], None] = lambda _: None
        self._on_live: Callable[[], None] = lambda: None
        self._is_new: Callable[[Login], bool] = lambda _: False

    def bind(
        self,
        *,
        on_knock: Callable[[PortalId], None],
        on_chunk: Callable[[LoginId], None],
        on_live: Callable[[], None],
        is_new: Callable[[Login], bool],
    ) -> None:
        """Say who is told of what waits, of history that came and of what people do now.

        `is_new` tells whether an account was linked so lately that its past may still be on its way.
        """
        self._on_knock, self._on_chunk, self._on_live, self._is_new = on_knock, on_chunk, on_live, is_new

    # For those who bring what happens now

    def holds(self, portal: Portal, login: Login) -> bool:
        """Whether what happens in a chat must wait."""
        if portal.id in self._closed:
            return True
        return portal.room_id is None and (login.id in self._expecting or self._is_new(login))

    def hold(self, portal_id: PortalId, login: Login, release: Release) -> None:
        """Keep something until the chat is open; it must put itself before all that waits in its chat."""
        self._held.setdefault(portal_id, deque()).append(release)
        self._held_of[portal_id] = login
        self._on_knock(portal_id)

    def chunk_came(self, login_id: LoginId) -> None:
        """A phone has sent some of the past."""
        self._on_chunk(login_id)

    def note_live(self) -> None:
        """Somebody does something now."""
        self._on_live()

    # For those who bring the past

    def count_held(self, login_id: LoginId) -> int:
        """How much of an account waits."""
        return sum(len(held) for portal_id, held in self._held.items() if self._held_of[portal_id].id == login_id)

    def is_knocked(self, portal_id: PortalId) -> bool:
        """Whether something waits for a chat."""
        return portal_id in self._held

    def close(self, portal_id: PortalId) -> None:
        """From now on, what happens in a chat waits."""
        self._closed.add(portal_id)

    def open(self, portal_id: PortalId) -> None:
        """What waited goes on, in order, before what came after it."""
        self._closed.discard(portal_id)
        self._let_go(portal_id)

    def expect(self, login_id: LoginId) -> None:
        """New chats of an account wait."""
        self._expecting.add(login_id)

    def end_expecting(self, login_id: LoginId) -> None:
        """New chats of an account need not wait any more, unless they are closed themselves."""
        self._expecting.discard(login_id)
        self.reconsider()

    def reconsider(self) -> None:
        """Let go what needs not wait any more."""
        for portal_id, login in list(self._held_of.items()):
            waits = login.id in self._expecting or self._is_new(login)
            if portal_id not in self._closed and not waits:
                self._let_go(portal_id)

    def _let_go(self, portal_id: PortalId) -> None:
        self._held_of.pop(portal_id, None)
        for release in reversed(self._held.pop(portal_id, ())):
            release()
