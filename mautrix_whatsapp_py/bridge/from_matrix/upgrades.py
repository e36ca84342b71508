"""Rooms that were upgraded: the chat goes on in the new one, once the bot is there."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.model.portal import Portal, PortalId

log = logging.getLogger(__name__)


async def follow(portal: Portal, room_id: MxRoomId, talk: Talk) -> None:
    """Go on in another room, or as soon as the bot is invited to it."""
    if portal.room_id is None or portal.room_id == room_id:
        return
    async with talk.store.transaction() as tx:
        await talk.rows.facts.put(tx, _key(room_id), str(portal.id))
    await _enter(portal, room_id, talk)


async def follow_invited(room_id: MxRoomId, talk: Talk) -> bool:
    """The bot was invited to a room: whether a chat has waited for it."""
    async with talk.store.reading() as tx:
        known = await talk.rows.facts.get(tx, _key(room_id))
    portal = None if known is None else await talk.portals.get(PortalId(int(known)))
    return portal is not None and await _enter(portal, room_id, talk)


async def _enter(portal: Portal, room_id: MxRoomId, talk: Talk) -> bool:
    matrix, old = talk.following.deps.matrix, portal.room_id
    try:
        await matrix.join_room(room_id, user=matrix.bot)
    except MatrixRefused as error:
        log.info("the room that replaces a chat's cannot be joined yet: %s", error.errcode)
        return False
    await talk.portals.set_room(portal, room_id)
    if old is not None:
        await talk.following.deps.rooms.drop(old)
    async with talk.store.transaction() as tx:
        await talk.rows.facts.drop(tx, _key(room_id))
    return True


def _key(room_id: MxRoomId) -> str:
    return f"upgrade:{room_id}"
