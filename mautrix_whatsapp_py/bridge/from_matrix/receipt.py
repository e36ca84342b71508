"""Read receipts from Matrix."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login
from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, set_stage
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.mx import MxReceipt
from mautrix_whatsapp_py.model.portal import Portal

MAX_MARKED = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def handle(event: MxReceipt, portal: Portal, talk: Talk) -> None:
    """Mark everything between the reader's old position and the new one, grouped by sender."""
    if event.is_private:
        return
    login = await choose_login(event.user, portal, talk)
    stage = None if login is None else await set_stage(portal, login, talk)
    client = None if login is None else talk.network.get_client(login.id)
    if stage is None or client is None or not client.state.is_usable:
        return
    if not (await talk.privacy.get(stage.login.id, portal.id)).receipts:
        return
    key = f"read:{portal.id}:{stage.login.id}"
    async with talk.store.reading() as tx:
        part = await talk.rows.messages.get_by_event(tx, event.event_id)
        known = await talk.rows.facts.get(tx, key)
    after = _EPOCH + timedelta(milliseconds=int(known)) if known else None
    until = part.sent_at if part is not None and part.portal_id == portal.id else event.read_at
    if until is None or (after is not None and until <= after):
        return
    by_sender = await _fetch_unread(stage, after, until, talk)
    try:
        for sender, message_ids in by_sender.items():
            await client.mark_read(stage.chat, sender, message_ids, at=event.read_at or talk.clock.now())
    except WhatsAppError:
        # The position stays where it was, so that the next receipt covers these too.
        return
    async with talk.store.transaction() as tx:
        await talk.rows.facts.put(tx, key, str((until - _EPOCH) // timedelta(milliseconds=1)))


async def _fetch_unread(
    stage: Stage, after: datetime | None, until: datetime, talk: Talk
) -> dict[WaJid, list[WaMessageId]]:
    async with talk.store.reading() as tx:
        parts = await talk.rows.messages.get_between(
            tx, stage.portal.id, reader=stage.login.id, after=after, until=until, limit=MAX_MARKED
        )
    by_sender: dict[WaJid, list[WaMessageId]] = defaultdict(list)
    for part in reversed(parts):
        by_sender[part.sender].append(part.message_id)
    return by_sender
