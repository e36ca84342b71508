"""Invitations of the bot."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.deps import BridgeDeps
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership

log = logging.getLogger(__name__)

DIRECT_CHAT_SIZE = 2
REFUSAL = "You are not allowed to use this WhatsApp bridge. Ask the person who runs it."
HELLO = """Hello, I am the WhatsApp bridge.
This is now your management room: here, commands need no prefix.
Send `help` to see what I can do."""
HELLO_TO_ALL = """Hello, I am the WhatsApp bridge.
In this room, start every command with `{prefix}`: send `{prefix} help` to see what I can do.
To speak with me alone, invite me to a direct chat."""


async def handle(event: MxMember, deps: BridgeDeps) -> None:
    """Accept or refuse an invitation of the bot; what others do is none of its business."""
    if event.user != deps.matrix.bot or event.membership is not MxMembership.INVITE:
        return
    room_id, inviter = event.origin.room_id, event.origin.sender
    if deps.level_of(inviter) < PermissionLevel.COMMANDS:
        await deps.matrix.leave_room(room_id, user=deps.matrix.bot, reason=REFUSAL)
        return
    await deps.matrix.join_room(room_id, user=deps.matrix.bot)
    members = await deps.matrix.fetch_members(room_id)
    text = HELLO_TO_ALL.format(prefix=deps.settings.command_prefix)
    if len(members) <= DIRECT_CHAT_SIZE:
        await deps.users.set_management_room(inviter, room_id)
        text = HELLO
    txn_id = MxTxnId(f"hello-{event.origin.event_id}")
    await deps.matrix.send_notice(room_id, to_notice(text), sender=deps.matrix.bot, txn_id=txn_id)
