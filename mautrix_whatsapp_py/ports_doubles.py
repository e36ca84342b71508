"""What acting as real users needs of the homeserver; an adapter implements it, the fakes of the tests too."""

from __future__ import annotations

from typing import Protocol

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.chat_marks import MxAccountNews


class MatrixAccounts(Protocol):
    """What clients show of rooms, of users as whom the bridge can act; errors are those of MatrixDoubles."""

    async def set_tag(self, room_id: MxRoomId, tag: str, *, is_set: bool, user: MxUserId) -> None:
        """Put a room under a tag, or take it from there."""

    async def set_muted(self, room_id: MxRoomId, *, is_muted: bool, user: MxUserId) -> None:
        """Have a room make no sound, or make one again."""

    async def fetch_news(self, user: MxUserId, since: str | None, *, with_receipts: bool = False) -> MxAccountNews:
        """What changed since; without that, all there is. Private receipts only when they are asked for."""


class MatrixDoubles(Protocol):
    """Users as whom the bridge can act.

    Once `can_act_as` is true, MatrixChats takes the user as a sender too and marks what they send as the bridge's
    doing. Whoever is acted as in vain is told by MatrixRefused: its status is 401 when the token is good no more.
    """

    def can_act_as(self, user: MxUserId) -> bool:
        """Whether there is a token for a user."""

    def is_automatic(self, user: MxUserId) -> bool:
        """Whether the configuration has a token that covers a user."""

    def use_token(self, user: MxUserId, token: str) -> None:
        """Act as a user with a token of theirs. Raises MatrixRefused when their server's address is not known."""

    def use_automatic(self, user: MxUserId) -> None:
        """Act as a user with the configuration's token, if it has one."""

    def stop_acting_as(self, user: MxUserId) -> None:
        """Act as a user no more."""

    async def fetch_owner(self, user: MxUserId, token: str) -> MxUserId | None:
        """Whose a token is that a user of the same server gave; None when the server does not know it."""

    async def is_accepted(self, user: MxUserId) -> bool:
        """Whether the homeserver still lets the bridge act as a user; MatrixUnreachable when it does not say."""

    async def join_room(self, room_id: MxRoomId, *, user: MxUserId) -> None:
        """Have a user accept an invitation."""

    async def mark_read(self, room_id: MxRoomId, event_id: MxEventId, *, user: MxUserId) -> None:
        """Move a user's own marks of what is read."""

    async def fetch_newest(self, room_id: MxRoomId, *, user: MxUserId) -> MxEventId | None:
        """What came last to a room, as a user sees it."""

    async def mark_unread(self, room_id: MxRoomId, *, is_unread: bool, user: MxUserId) -> None:
        """Mark a room as unread for a user, whether or not there is anything to read, or no longer."""

    async def add_direct_chat(self, room_id: MxRoomId, ghost: MxUserId, *, user: MxUserId) -> None:
        """List a room among a user's direct chats."""

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, user: MxUserId, txn_id: MxTxnId
    ) -> None:
        """Have a user take back an event."""

    async def fetch_author(self, room_id: MxRoomId, event_id: MxEventId) -> MxUserId | None:
        """Who sent an event; None when it is not to be seen."""
