"""Receipts from WhatsApp: what others have read, and what has arrived after all."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.from_matrix.receipt import ReadMark, note_read
from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.model.wa import WaReceipt, WaReceiptKind

log = logging.getLogger(__name__)

_READ = frozenset({WaReceiptKind.READ, WaReceiptKind.PLAYED})
_ARRIVED = _READ | {WaReceiptKind.DELIVERED}
_OWN = _READ | {WaReceiptKind.READ_SELF, WaReceiptKind.PLAYED_SELF}


def matters(event: WaReceipt, talk: Talk) -> bool:
    """Whether there is anything to be done about a receipt; most only say again what the server has said."""
    if event.source.is_from_me:
        return event.kind in _OWN
    return event.kind in _READ or (event.kind in _ARRIVED and talk.delivery.has_uncertain)


async def handle(event: WaReceipt, portal: Portal, login: Login, talk: Talk) -> None:
    """Show how far somebody has read."""
    source = event.source
    if source.is_from_me and event.kind in _OWN:
        await _handle_own(event, portal, login, talk)
        return
    if event.kind not in _ARRIVED or source.is_from_me or not is_person(source.sender):
        return
    part = await talk.store.read(lambda tx: talk.rows.messages.get_newest(tx, portal.id, event.message_ids))
    if part is None or portal.room_id is None:
        return
    if part.is_own and part.login_id == login.id:
        await talk.delivery.arrived(portal, part.event_id)
    if event.kind not in _READ:
        return
    reader = await talk.persons.resolve(source.sender, source.sender_alt)
    try:
        await talk.chats.send_receipt(portal.room_id, part.event_id, reader=reader.ghost)
    except MatrixRefused as error:
        # Who never said a word in a group is not in its room.
        log.debug("a receipt was not shown: %s %s", error.status, error.errcode)


async def _handle_own(event: WaReceipt, portal: Portal, login: Login, talk: Talk) -> None:
    """Show an account's user how far they have read on the phone."""
    part = await talk.store.read(lambda tx: talk.rows.messages.get_newest(tx, portal.id, event.message_ids))
    if part is None or portal.room_id is None:
        return
    # Before the homeserver tells us of it: what was read on the phone is no news to WhatsApp.
    mark = ReadMark(until=part.sent_at, message_ids=frozenset({part.message_id}))
    await note_read(mark, portal.id, login.id, talk)
    await talk.doubles.mark_read(login.user, portal.room_id, part.event_id)
