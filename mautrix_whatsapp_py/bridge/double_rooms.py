"""Rooms a user was invited to before the bridge could act as them."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ids import MxUserId

log = logging.getLogger(__name__)


async def catch_up(user: MxUserId, talk: Talk) -> None:
    """Have a user accept the invitations to all their chats; joining a room one is in changes nothing."""
    try:
        for portal in await talk.portals.get_all():
            for login in talk.logins.of_user(user):
                if portal.room_id is not None and await talk.rooms.has_invited(portal, login):
                    await talk.rooms.welcome(portal, portal.room_id, user)
                    break
    except StoreError as error:
        log.info("some invitations of %s stay open: %s", user, error.text)
