"""A message of the past and what was done about it, as it would have come then."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from mautrix_whatsapp_py.bridge.from_whatsapp import message
from mautrix_whatsapp_py.bridge.from_whatsapp.message import Handled, Way
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import TargetUnknown
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import login_tag
from mautrix_whatsapp_py.model.content import WaEdit, WaText
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, WaMedia
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.model.wa import WaMessage
from mautrix_whatsapp_py.model.wa_history import WaHistoryItem

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What came of an item."""

    is_waiting_file: bool = False
    was_refused: bool = False


async def handle(item: WaHistoryItem, portal_id: PortalId, login: Login, talk: Talk) -> Brought:
    """Bring an item into its room, without its file; its rows are there once `talk.recorded` says so.

    Raises MatrixUnreachable, StoreUnavailable and WhatsAppError; repeating it changes nothing twice.
    """
    waits, refused = False, False
    for event in item.events:
        if _has_disappeared(event, talk):
            continue
        try:
            handled = await _bring(event, portal_id, login, talk)
        except MatrixRefused as error:
            tag = login_tag(login.id)
            log.warning("a message of the past of login %s was refused: %s %s", tag, error.status, error.errcode)
            refused = True
            continue
        waits |= handled.is_waiting_file
        if handled.write is not None:
            talk.records.start(portal_id, handled.names, handled.write, _nothing, clock=talk.clock)
    return Brought(is_waiting_file=waits, was_refused=refused)


async def handle_file(
    item: WaHistoryItem, portal_id: PortalId, login: Login, talk: Talk, *, file: MxFile | MediaUnavailable
) -> None:
    """Show the file of an item that is in its room, or say why there is none; raises as `handle` does."""
    await talk.recorded(portal_id)
    portal = await talk.portals.get(portal_id)
    if portal is None or not item.events:
        return
    try:
        await message.handle(item.events[0], portal, login, talk, way=Way.PAST_FILE, file=file)
    except MatrixRefused as error:
        log.warning("a file of login %s was refused: %s %s", login_tag(login.id), error.status, error.errcode)


async def _bring(event: WaMessage, portal_id: PortalId, login: Login, talk: Talk) -> Handled:
    if not message.stands_alone(event, portal_id, talk):
        await talk.recorded(portal_id)
    portal = await talk.portals.get(portal_id)
    if portal is None:
        return Handled()
    try:
        return await message.handle(event, portal, login, talk, way=Way.PAST)
    except TargetUnknown:
        content = event.content
    if not isinstance(content, WaEdit):
        return Handled()
    # Phones hand an edited message over as its edit alone: that is the message, as it reads now.
    whole = msgspec.structs.replace(event, message_id=content.target.message_id, content=content.content)
    return await message.handle(whole, portal, login, talk, way=Way.PAST)


def _has_disappeared(event: WaMessage, talk: Talk) -> bool:
    """Whether a message had its time before anybody saw it here."""
    content = event.content
    if not isinstance(content, WaText | WaMedia) or not talk.settings.is_disappearing_honoured:
        return False
    seconds = content.context.disappears_after_s
    return bool(seconds) and event.timestamp + timedelta(seconds=seconds or 0) <= talk.clock.now()


def _nothing() -> None:
    """The session is told of whole pages."""
