"""The timer of a chat, which its new messages carry."""

from __future__ import annotations

import logging
from dataclasses import replace

from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.ports import MatrixChats

log = logging.getLogger(__name__)


async def keep_timer(portal: Portal, seconds: int, portals: Portals, chats: MatrixChats) -> None:
    """Remember the timer of a chat and show it in its room."""
    current = await portals.get(portal.id) or portal
    if current.disappearing_seconds != seconds:
        current = await portals.put(replace(current, disappearing_seconds=seconds))
    if current.room_id is None:
        return
    try:
        await chats.set_timer(current.room_id, seconds)
    except MatrixRefused as error:
        log.info("the timer of a chat is not shown: %s %s", error.status, error.errcode)
