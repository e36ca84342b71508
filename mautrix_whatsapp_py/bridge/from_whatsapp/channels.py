"""Posts of channels: nobody signs them, so the channel itself speaks."""

from __future__ import annotations

import logging
from dataclasses import replace

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.ids import LID_SERVER, WaJid, WaMessageId, login_tag
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.people import NameRank, Person
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa import WaMessage, WaUndecryptable

log = logging.getLogger(__name__)


async def channel_author(event: WaMessage | WaUndecryptable, portal: Portal, login: Login, talk: Talk) -> Person:
    """Who says what a channel publishes; its name is asked for once."""
    if isinstance(event, WaMessage) and event.server_id:
        async with talk.store.transaction() as tx:
            await talk.rows.facts.put(tx, post_key(portal.id, event.message_id), str(event.server_id))
    portal = await talk.portals.get(portal.id) or portal
    name = portal.name or await _fetch_name(portal, login, talk)
    if name and name != portal.name:
        await talk.portals.put(replace(portal, name=name))
    author = await talk.persons.resolve(author_address(portal.key.chat))
    return await talk.persons.learn_name(author, name, NameRank.BUSINESS)


def author_address(chat: WaJid) -> WaJid:
    """The address a channel has among people: no number and no LID looks like it."""
    return WaJid(user=f"newsletter-{chat.user}", server=LID_SERVER)


def post_key(portal_id: PortalId, message_id: WaMessageId) -> str:
    """Where the number is kept by which WhatsApp knows a post when somebody reacts to it."""
    return f"post:{portal_id}:{message_id}"


async def _fetch_name(portal: Portal, login: Login, talk: Talk) -> str:
    directory = talk.open_directory(login.id)
    if directory is None:
        return ""
    try:
        followed = await directory.fetch_newsletters()
    except WhatsAppError as error:
        log.info("the channels of login %s are not known: %s", login_tag(login.id), error.code)
        return ""
    return next((one.name for one in followed if one.jid == portal.key.chat), "")
