"""The layout of mautrix-whatsapp since version 0.11."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid, decode_jid
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

MARKS = frozenset({"user_login", "user_portal", "ghost", "portal", "message"})
"""Tables by which it is known."""
_AUTOMATIC = "appservice-config"
"""Stands in the place of a token where a second registration is used."""
_NANOSECONDS = 1_000_000
_LID_GHOST = "lid-"


class BridgeV2:
    """Implements OldBridge."""

    message_table = "message"

    def __init__(self, database: ForeignDatabase) -> None:
        self.database = database
        self.skipped: dict[str, int] = Counter()

    async def users(self) -> list[OldUser]:
        """See OldBridge."""
        return [
            OldUser(
                mxid=row.text("mxid"),
                management_room=row.text("management_room"),
                access_token="" if row.text("access_token") == _AUTOMATIC else row.text("access_token"),
            )
            for row in await self.database.rows("user", order=("mxid",))
        ]

    async def logins(self) -> list[OldLogin]:
        """See OldBridge."""
        return [
            OldLogin(
                id=row.text("id"),
                mxid=row.text("user_mxid"),
                device=_device(row),
                space_room=row.text("space_room"),
                space_name=f"WhatsApp ({row.text('remote_name')})",
            )
            for row in await self.database.rows("user_login", order=("id",))
        ]

    async def ghosts(self) -> list[OldGhost]:
        """See OldBridge."""
        return [
            OldGhost(
                id=row.text("id"),
                name=row.text("name"),
                avatar_id=row.text("avatar_id"),
                avatar_uri=row.text("avatar_mxc"),
            )
            for row in await self.database.rows("ghost", order=("id",))
        ]

    async def portals(self) -> list[OldPortal]:
        """See OldBridge."""
        return [
            OldPortal(
                chat=row.text("id"),
                receiver=row.text("receiver"),
                room_id=row.text("mxid"),
                name=row.text("name"),
                topic=row.text("topic"),
                avatar_id=row.text("avatar_id"),
                avatar_uri=row.text("avatar_mxc"),
                ghost=row.text("other_user_id"),
                community=row.text("parent_id"),
                is_space=row.text("room_type") == "space",
                disappearing_seconds=row.number("disappear_timer") // 1_000_000_000,
            )
            for row in await self.database.rows("portal", order=("id", "receiver"))
        ]

    async def memberships(self) -> list[OldMembership]:
        """See OldBridge."""
        return [
            OldMembership(
                login=row.text("login_id"),
                mxid=row.text("user_mxid"),
                chat=row.text("portal_id"),
                receiver=row.text("portal_receiver"),
                is_in_space=row.flag("in_space"),
            )
            for row in await self.database.rows("user_portal", order=("login_id", "portal_id"))
        ]

    async def messages(self) -> AsyncIterator[list[OldMessage]]:
        """See OldBridge."""
        async for rows in self.database.batches("message", order=("rowid",)):
            found = (self._message(row) for row in rows)
            yield [message for message in found if message is not None]

    def _message(self, row: ForeignRow) -> OldMessage | None:
        key = _decode_id(row.text("id"))
        if key is None:
            is_notice = row.text("id").startswith("fake:")
            self.skipped[why.NOTICES if is_notice else why.ODD_MESSAGES] += 1
            return None
        sender, message_id = key
        return OldMessage(
            chat=row.text("room_id"),
            receiver=row.text("room_receiver"),
            message_id=message_id,
            sender=sender,
            event_id=row.text("mxid"),
            sent_at_ms=row.number("timestamp") // _NANOSECONDS,
            is_placeholder=_object(row, "metadata").get("error") == "undecryptable",
        )

    async def reactions(self) -> AsyncIterator[list[OldReaction]]:
        """See OldBridge."""
        async for rows in self.database.batches("reaction", order=("timestamp", "mxid")):
            found = (self._reaction(row) for row in rows)
            yield [reaction for reaction in found if reaction is not None]

    def _reaction(self, row: ForeignRow) -> OldReaction | None:
        target, sender = _decode_id(row.text("message_id")), ghost_jid(row.text("sender_id"))
        if target is None or sender is None:
            self.skipped[why.ODD_REACTIONS] += 1
            return None
        author, message_id = target
        return OldReaction(
            chat=row.text("room_id"),
            receiver=row.text("room_receiver"),
            message_id=message_id,
            author=author,
            sender=sender,
            event_id=row.text("mxid"),
            key=row.text("emoji"),
        )

    async def disappearing(self) -> list[OldDisappearing]:
        """See OldBridge."""
        rows = await self.database.rows("disappearing_message")
        begun = [row for row in rows if row.number("disappear_at") > 0]
        if len(rows) > len(begun):
            self.skipped[why.NO_TIMER] += len(rows) - len(begun)
        return [
            OldDisappearing(
                room_id=row.text("mx_room"),
                event_id=row.text("mxid"),
                due_at_ms=row.number("disappear_at") // _NANOSECONDS,
            )
            for row in begun
        ]


def ghost_jid(ghost_id: str) -> WaJid | None:
    """Whom a ghost stands for; None when it is nobody with a number or LID."""
    is_lid = ghost_id.startswith(_LID_GHOST)
    user = ghost_id.removeprefix(_LID_GHOST)
    if not (user.isascii() and user.isdigit()):
        return None
    return WaJid(user=user, server=LID_SERVER if is_lid else USER_SERVER)


def _decode_id(text: str) -> tuple[WaJid, str] | None:
    """Sender and id in `chat:sender:id`."""
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] == "fake" or not parts[2]:
        return None
    try:
        return decode_jid(parts[1]).bare, parts[2]
    except ValueError:
        return None


def _device(row: ForeignRow) -> int:
    value = _object(row, "metadata").get("wa_device_id")
    return value if isinstance(value, int) else 0


def _object(row: ForeignRow, name: str) -> dict[str, object]:
    value = row.raw(name)
    if isinstance(value, str | bytes):
        value = json.loads(value or "{}")
    return value if isinstance(value, dict) else {}
