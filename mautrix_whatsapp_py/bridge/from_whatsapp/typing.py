"""Typing on WhatsApp."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import MatrixError
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaTyping

log = logging.getLogger(__name__)

SHOWN_SECONDS = 15.0


async def handle(event: WaTyping, portal: Portal, talk: Talk) -> None:
    """Show that somebody types; where that fails it is old by the next try."""
    source = event.source
    if source.is_from_me or portal.room_id is None or not is_person(source.sender):
        return
    person = await talk.persons.find(source.sender)
    if person is None:
        return
    seconds = SHOWN_SECONDS if event.is_typing else 0.0
    try:
        await talk.chats.send_typing(portal.room_id, user=person.ghost, for_seconds=seconds)
    except MatrixError as error:
        log.debug("typing was not shown: %s %s", error.status, error.errcode)
