"""The layout of mautrix-whatsapp up to version 0.10."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from mautrix_whatsapp_py.ids import USER_SERVER, WaJid, decode_jid
from mautrix_whatsapp_py.ops.takeover import skipped as why
from mautrix_whatsapp_py.ops.takeover.records import (
    OldDisappearing,
    OldGhost,
    OldLogin,
    OldMembership,
    OldMessage,
    OldPortal,
    OldReaction,
    OldUser,
)
from mautrix_whatsapp_py.store.foreign import ForeignDatabase, ForeignRow

MARKS = frozenset({"puppet", "user", "portal", "message"})
"""Tables by which it is known."""
_REAL = ("normal", "magic-poll", "unknown", "")
_SECONDS = 1000


class Legacy:
    """Implements OldBridge."""

    message_table = "message"

    def __init__(self, database: ForeignDatabase) -> None:
        self.database = database
        self.skipped: dict[str, int] = Counter()

    async def users(self) -> list[OldUser]:
        """See OldBridge; it kept the tokens of users with the ghosts they took the place of."""
        tokens = {row.text("custom_mxid"): row.text("access_token") for row in await self.database.rows("puppet")}
        return [
            OldUser(
                mxid=row.text("mxid"),
                management_room=row.text("management_room"),
                access_token=_own_token(tokens.get(row.text("mxid"), "")),
            )
            for row in await self.database.rows("user", order=("mxid",))
        ]

    async def logins(self) -> list[OldLogin]:
        """See OldBridge."""
        return [
            OldLogin(
                id=row.text("username"),
                mxid=row.text("mxid"),
                device=row.number("device"),
                space_room=row.text("space_room"),
            )
            for row in await self.database.rows("user", order=("mxid",))
            if row.text("username")
        ]

    async def ghosts(self) -> list[OldGhost]:
        """See OldBridge."""
        return [
            OldGhost(
                id=row.text("username"),
                name=row.text("displayname"),
                avatar_id="" if row.text("avatar") in ("remove", "unauthorized") else row.text("avatar"),
                avatar_uri=row.text("avatar_url"),
            )
            for row in await self.database.rows("puppet", order=("username",))
        ]

    async def portals(self) -> list[OldPortal]:
        """See OldBridge."""
        return [
            OldPortal(
                chat=row.text("jid"),
                receiver=_receiver(row.text("jid"), row.text("receiver")),
                room_id=row.text("mxid"),
                name=row.text("name"),
                topic=row.text("topic"),
                avatar_id=row.text("avatar"),
                avatar_uri=row.text("avatar_url"),
                ghost=row.text("jid").partition("@")[0],
                community=row.text("parent_group"),
                is_space=row.flag("is_parent"),
                disappearing_seconds=row.number("expiration_time"),
            )
            for row in await self.database.rows("portal", order=("jid", "receiver"))
        ]

    async def memberships(self) -> list[OldMembership]:
        """See OldBridge."""
        logins = {login.mxid: login.id for login in await self.logins()}
        return [
            OldMembership(
                login=logins.get(row.text("user_mxid"), ""),
                mxid=row.text("user_mxid"),
                chat=row.text("portal_jid"),
                receiver=_receiver(row.text("portal_jid"), row.text("portal_receiver")),
                is_in_space=row.flag("in_space"),
            )
            for row in await self.database.rows("user_portal", order=("user_mxid", "portal_jid"))
        ]

    async def messages(self) -> AsyncIterator[list[OldMessage]]:
        """See OldBridge."""
        async for rows in self.database.batches("message", order=("timestamp", "mxid")):
            found = (self._message(row) for row in rows)
            yield [message for message in found if message is not None]

    def _message(self, row: ForeignRow) -> OldMessage | None:
        if row.text("type") == "reaction":
            # Its own table has it too.
            return None
        if row.text("type") not in _REAL or row.text("jid").startswith("FAKE::"):
            self.skipped[why.NOTICES] += 1
            return None
        sender = _decode(row.text("sender"))
        if sender is None or not row.text("jid") or not row.text("mxid").startswith("$"):
            self.skipped[why.ODD_MESSAGES] += 1
            return None
        return OldMessage(
            chat=row.text("chat_jid"),
            receiver=_receiver(row.text("chat_jid"), row.text("chat_receiver")),
            message_id=row.text("jid"),
            sender=sender,
            event_id=row.text("mxid"),
            sent_at_ms=row.number("timestamp") * _SECONDS,
            is_placeholder=row.text("error") == "decryption_failed",
        )

    async def reactions(self) -> AsyncIterator[list[OldReaction]]:
        """See OldBridge; it did not keep what was said."""
        async for rows in self.database.batches("reaction", order=("mxid",)):
            found = (self._reaction(row) for row in rows)
            yield [reaction for reaction in found if reaction is not None]

    def _reaction(self, row: ForeignRow) -> OldReaction | None:
        sender = _decode(row.text("sender"))
        if sender is None or not row.text("target_jid"):
            self.skipped[why.ODD_REACTIONS] += 1
            return None
        return OldReaction(
            chat=row.text("chat_jid"),
            receiver=_receiver(row.text("chat_jid"), row.text("chat_receiver")),
            message_id=row.text("target_jid"),
            author=None,
            sender=sender,
            event_id=row.text("mxid"),
        )

    async def disappearing(self) -> list[OldDisappearing]:
        """See OldBridge."""
        rows = await self.database.rows("disappearing_message")
        begun = [row for row in rows if row.number("expire_at") > 0]
        if len(rows) > len(begun):
            self.skipped[why.NO_TIMER] += len(rows) - len(begun)
        return [
            OldDisappearing(
                room_id=row.text("room_id"), event_id=row.text("event_id"), due_at_ms=row.number("expire_at")
            )
            for row in begun
        ]


def _own_token(token: str) -> str:
    return "" if token == "appservice-config" else token  # noqa: S105  stands in the place of a token


def _receiver(chat: str, receiver: str) -> str:
    """The account of a chat; shared chats had themselves there."""
    return "" if receiver == chat and not chat.endswith(f"@{USER_SERVER}") else receiver.partition("@")[0]


def _decode(text: str) -> WaJid | None:
    try:
        return decode_jid(text if "@" in text else f"{text}@{USER_SERVER}").bare
    except ValueError:
        return None
