"""Rooms that the last person on Matrix has left: nobody reads what would be written there."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.closings import Closings
from mautrix_whatsapp_py.bridge.deps import BridgeDeps
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership
from mautrix_whatsapp_py.model.portal import Portal

log = logging.getLogger(__name__)

_GONE = (MxMembership.LEAVE, MxMembership.BAN)


async def handle(event: MxMember, portal: Portal, closings: Closings, deps: BridgeDeps) -> None:
    """Let go of a room once nobody is left in it; the chat's next message makes a new one."""
    room_id = portal.room_id
    if event.membership not in _GONE or deps.is_ours(event.user) or room_id != event.origin.room_id:
        return
    members = await deps.matrix.fetch_members(room_id)
    if any(not deps.is_ours(user) for user in members):
        return
    try:
        await closings.delete(portal)
    except CommandError:
        log.info("a room that everybody has left is kept: messages in it wait for WhatsApp")
