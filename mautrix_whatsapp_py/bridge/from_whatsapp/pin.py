"""Pins from WhatsApp, which end by themselves there."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.bridge.from_whatsapp.told import Told
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.results import MxPin
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreError
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId
from mautrix_whatsapp_py.model.portal import PortalId

log = logging.getLogger(__name__)

_PREFIX = "pinned:"
LONGEST = timedelta(days=366)
"""WhatsApp offers 30 days; a time beyond this is a mistake of the sender's."""


async def show(result: MxPin, told: Told, talk: Talk) -> None:
    """Pin an event in its room, for as long as it is pinned on WhatsApp, or no longer."""
    await _set(told.room_id, result.event_id, talk, is_pinned=result.is_pinned)
    key = f"{_PREFIX}{told.scene.portal.id}:{result.event_id}"
    async with talk.store.transaction() as tx:
        if result.is_pinned and 0 < result.seconds <= LONGEST.total_seconds():
            began_at = min(told.event.timestamp, talk.clock.now())
            due_at = began_at + timedelta(seconds=result.seconds)
            await talk.rows.facts.put(tx, key, str(int(due_at.timestamp())))
        else:
            await talk.rows.facts.drop(tx, key)


async def end_due(talk: Talk) -> None:
    """Take down pins whose time is over; what fails for now stays for the next round. Never raises."""
    try:
        async with talk.store.reading() as tx:
            known = await talk.rows.facts.get_prefixed(tx, _PREFIX)
        for key, due in known:
            if datetime.fromtimestamp(int(due), UTC) <= talk.clock.now():
                await _end(key, talk)
    except MatrixUnreachable:
        log.info("ends of pins have to wait for the homeserver")
    except StoreError as error:
        log.warning("ends of pins have to wait: %s", error.text)
    except Exception:
        log.exception("ends of pins could not be shown")


async def _end(key: str, talk: Talk) -> None:
    portal_id, _, event_id = key.removeprefix(_PREFIX).partition(":")
    portal = await talk.portals.get(PortalId(int(portal_id)))
    if portal is not None and portal.room_id is not None:
        await _set(portal.room_id, MxEventId(event_id), talk, is_pinned=False)
    async with talk.store.transaction() as tx:
        await talk.rows.facts.drop(tx, key)


async def _set(room_id: MxRoomId, event_id: MxEventId, talk: Talk, *, is_pinned: bool) -> None:
    try:
        await talk.chats.set_pinned(room_id, event_id, is_pinned=is_pinned)
    except MatrixRefused as error:
        log.info("the pins of a room cannot be changed: %s %s", error.status, error.errcode)
