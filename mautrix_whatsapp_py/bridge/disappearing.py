"""Messages of chats with a timer: taken out of their rooms when their time has come."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.bridge.timers import keep_timer
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreError
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId
from mautrix_whatsapp_py.model.content import MxMessageContent
from mautrix_whatsapp_py.model.portal import DisappearingEvent, Portal
from mautrix_whatsapp_py.store.store import Tx

log = logging.getLogger(__name__)

REASON = "Message disappeared"
BATCH = 200
LONGEST = timedelta(days=366)
"""No client offers as much; a time beyond it is a mistake of the sender's."""


async def add_disappearing(
    tx: Tx,
    events: Iterable[tuple[MxEventId, int | None]],
    *,
    room_id: MxRoomId,
    sent_at: datetime,
    talk: Talk,
) -> None:
    """Remember which of some new events go after how many seconds, with what else is recorded of them."""
    if not talk.settings.is_disappearing_honoured:
        return
    # The clock of whoever sent it may be wrong; nothing stays longer than its timer from now.
    sent_at = min(sent_at, talk.clock.now())
    rows = [
        DisappearingEvent(event_id=event_id, room_id=room_id, due_at=sent_at + timedelta(seconds=seconds))
        for event_id, seconds in events
        if seconds and 0 < seconds <= LONGEST.total_seconds()
    ]
    await talk.rows.disappearing.add(tx, rows)


def shown_timer(content: MxMessageContent, talk: Talk) -> MxMessageContent:
    """A message with its timer, where it is obeyed."""
    if content.disappears_after_s is None or talk.settings.is_disappearing_honoured:
        return content
    return replace(content, disappears_after_s=None)


async def set_timer(portal: Portal, seconds: int, talk: Talk) -> None:
    """Remember the timer of a chat, which its new messages carry, and show it in its room."""
    await keep_timer(portal, seconds, talk.portals, talk.chats)


async def redact_due(talk: Talk) -> None:
    """Redact what has had its time; what fails for now stays for the next round. Never raises."""
    try:
        while await _redact_batch(talk):
            pass
    except MatrixUnreachable:
        log.info("messages that should disappear have to wait for the homeserver")
    except StoreError as error:
        log.warning("messages that should disappear have to wait: %s", error.text)
    except Exception:
        log.exception("messages that should disappear could not be redacted")


async def _redact_batch(talk: Talk) -> bool:
    """Whether there may be more."""
    async with talk.store.reading() as tx:
        due = await talk.rows.disappearing.get_due(tx, talk.clock.now(), limit=BATCH)
    gone: list[MxEventId] = []
    try:
        for event in due:
            await _redact(event, talk)
            gone.append(event.event_id)
    finally:
        if gone:
            async with talk.store.transaction() as tx:
                await talk.rows.disappearing.remove(tx, gone)
    return len(due) == BATCH


async def _redact(event: DisappearingEvent, talk: Talk) -> None:
    txn_id = MxTxnId(f"gone-{event.event_id}")
    try:
        await talk.ghosts.send_bot_redaction(event.room_id, event.event_id, txn_id=txn_id, reason=REASON)
    except MatrixRefused as error:
        # The room or the event is no more, and neither comes back.
        log.info("a message that should disappear is out of reach: %s %s", error.status, error.errcode)
