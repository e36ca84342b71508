"""Pins of a room on their way to WhatsApp."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.delivery import send_id_of
from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, set_stage
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.errors import WhatsAppError, WhatsAppRefused, WhatsAppUncertain
from mautrix_whatsapp_py.ids import BROADCAST_SERVER, NEWSLETTER_SERVER, MxEventId
from mautrix_whatsapp_py.model.content import WaMessageRef
from mautrix_whatsapp_py.model.mx import MxOrigin
from mautrix_whatsapp_py.model.mx_room import MxPinsSet
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.rich import WaPin

log = logging.getLogger(__name__)

PIN_SECONDS = 30 * 86_400
"""The longest that WhatsApp offers; rooms keep pins for good."""
_MOST = 3
"""Pins of a chat on WhatsApp."""
REFUSED = "WhatsApp did not pin that message. People there do not see the pin; try it on your phone."
NOT_NOW = "The pin did not reach WhatsApp, because the link is down. Unpin and pin the message again later."
UNCERTAIN = "WhatsApp did not confirm the pin. Look at your phone before you try again."


async def handle(origin: MxOrigin, change: MxPinsSet, portal: Portal, talk: Talk) -> None:
    """Pin and unpin what was changed; events that WhatsApp does not have stay a matter of the room."""
    added = [one for one in change.pinned if one not in change.before]
    removed = [one for one in change.before if one not in change.pinned]
    wanted = [(one, False) for one in removed] + [(one, True) for one in added[-_MOST:]]
    if portal.room_id != origin.room_id or not wanted:
        return
    login = await choose_login(origin.sender, portal, talk)
    stage = None if login is None else await set_stage(portal, login, talk)
    if stage is None:
        await talk.delivery.explain(origin, notices.NO_LOGIN)
        return
    if stage.chat.server in {BROADCAST_SERVER, NEWSLETTER_SERVER}:
        return
    await talk.recorded(portal.id)
    problems = [await _send(event_id, origin, stage, talk, is_pinned=is_pinned) for event_id, is_pinned in wanted]
    told = [problem for problem in dict.fromkeys(problems) if problem]
    if told:
        await talk.delivery.explain(origin, "\n".join(told))


async def _send(event_id: MxEventId, origin: MxOrigin, stage: Stage, talk: Talk, *, is_pinned: bool) -> str:
    """Why it was not done; empty when it was, or is nothing to WhatsApp."""
    async with talk.store.reading() as tx:
        part = await talk.rows.messages.get_by_event(tx, event_id)
    if part is None or part.portal_id != stage.portal.id:
        return ""
    client = talk.network.get_client(stage.login.id)
    if client is None:
        return NOT_NOW
    target = WaMessageRef(chat=stage.chat, message_id=part.message_id, sender=part.sender)
    pin = WaPin(target=target, is_pinned=is_pinned, seconds=PIN_SECONDS if is_pinned else 0)
    send_id = send_id_of(MxEventId(f"{origin.event_id}-{event_id}"))
    try:
        await client.send_message(stage.chat, pin, send_id=send_id, secret=talk.new_secret())
    except WhatsAppRefused as error:
        log.info("WhatsApp refused a pin: %s", error.code)
        return REFUSED
    except WhatsAppUncertain:
        return UNCERTAIN
    except WhatsAppError:
        return NOT_NOW
    return ""
