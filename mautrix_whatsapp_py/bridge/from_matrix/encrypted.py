"""Encrypted messages, which the bridge cannot read."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.deps import BridgeDeps
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.model.mx import MxEncrypted

CANNOT_READ = """I cannot read encrypted messages.
Create a direct chat with encryption switched off and invite me there."""


async def handle(event: MxEncrypted, deps: BridgeDeps) -> None:
    """Say so, where the sender meant the bot."""
    sender, room_id = event.origin.sender, event.origin.room_id
    if deps.level_of(sender) < PermissionLevel.COMMANDS or await deps.users.get_management_room(sender) != room_id:
        return
    # One id per room: the homeserver drops the repetitions, so that the room is told once a day at most.
    txn_id = MxTxnId(f"unreadable-{room_id}")
    await deps.matrix.send_notice(room_id, to_notice(CANNOT_READ), sender=deps.matrix.bot, txn_id=txn_id)
