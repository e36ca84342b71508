"""What has to be asked of WhatsApp about groups."""

from __future__ import annotations

import logging
from dataclasses import replace

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.group import GroupRole
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaGroup

log = logging.getLogger(__name__)


async def ensure_described(portal: Portal, login: Login, talk: Talk) -> Portal:
    """A group whose room is about to be made, with its name and timer as far as they can be had."""
    if portal.room_id is not None or portal.name or not portal.key.chat.is_group:
        return portal
    try:
        group = await _fetch(portal.key.chat, login.id, talk)
    except WhatsAppError as error:
        # The room is made all the same: a message must not wait for a name.
        log.info("a new group could not be asked for: %s", error.code)
        return portal
    current = await talk.portals.get(portal.id) or portal
    return await talk.portals.put(
        replace(current, name=group.name, disappearing_seconds=group.disappearing_seconds)
    )


async def is_admin(person: Person, portal: Portal, login: Login, talk: Talk) -> bool:
    """Whether somebody may delete others' messages in a chat; raises WhatsAppUnavailable when nobody can say."""
    if not portal.key.chat.is_group or portal.room_id is None:
        return False
    rooms = talk.following.deps.rooms
    record = await rooms.get(portal.room_id)
    if not record.is_levelled:
        # Never seen as a whole yet.
        try:
            await talk.following.bring_up(portal.id, login)
        except WhatsAppRefused:
            return False
        record = await rooms.get(portal.room_id)
    return record.facts.roles.get(person.id, GroupRole.MEMBER) > GroupRole.MEMBER


async def _fetch(chat: WaJid, login_id: LoginId, talk: Talk) -> WaGroup:
    client, directory = talk.network.get_client(login_id), talk.open_directory(login_id)
    if client is None or directory is None or not client.state.is_usable:
        raise WhatsAppUnavailable
    return await directory.fetch_group(chat)
