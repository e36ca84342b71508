"""Live locations: one event, which says where somebody is now."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mautrix_whatsapp_py.bridge.disappearing import add_disappearing, shown_timer
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import double_of
from mautrix_whatsapp_py.bridge.from_whatsapp.told import Told
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.results import MxLive
from mautrix_whatsapp_py.convert.rich_to_matrix import LIVE_ENDED
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreError
from mautrix_whatsapp_py.ids import MxEventId, MxTxnId, PersonId
from mautrix_whatsapp_py.model.content import MxEdit, MxMentions, MxMessageContent, MxMsgType
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.store.store import Tx

log = logging.getLogger(__name__)

LONGEST = timedelta(hours=8)
"""For so long WhatsApp lets people share where they are."""
_PREFIX = "live:"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """A location that is being shared: its event, how far it has come, and since when."""

    event_id: MxEventId
    sequence: int
    began_at: datetime

    @classmethod
    def decode(cls, text: str) -> _Shared:
        event_id, sequence, began = text.split(" ")
        began_at = datetime.fromtimestamp(int(began), UTC)
        return cls(event_id=MxEventId(event_id), sequence=int(sequence), began_at=began_at)

    def encode(self) -> str:
        return f"{self.event_id} {self.sequence} {int(self.began_at.timestamp())}"


async def show(result: MxLive, told: Told, talk: Talk) -> None:
    """Begin to show where somebody is, or move them; an update that was overtaken says nothing."""
    key = _key(told.scene.portal.id, told.scene.sender.id)
    shared = await _get(key, talk)
    is_new = shared is None or talk.clock.now() - shared.began_at >= LONGEST or result.sequence == 0
    if shared is not None and not is_new and result.sequence <= shared.sequence:
        if result.sequence == shared.sequence:
            return
        # Phones count on within one sharing; a lower count is another one.
        is_new = True
    part = shown_timer(result.part, talk)
    if shared is not None and not is_new:
        part = replace(part, relation=MxEdit(event_id=shared.event_id))
    event_id = await talk.ghosts.send_message(
        told.room_id,
        part,
        person=told.scene.sender,
        txn_id=told.txn_id(0, "live"),
        sent_at=told.event.timestamp,
        double=double_of(told.scene, talk),
    )
    if shared is not None and not is_new:
        now = replace(shared, sequence=result.sequence)
    else:
        now = _Shared(event_id=event_id, sequence=result.sequence, began_at=talk.clock.now())

    async def record(tx: Tx) -> None:
        await talk.rows.facts.put(tx, key, now.encode())
        if is_new:
            await talk.rows.messages.add(tx, [told.part(0, event_id)])
            timers = [(event_id, part.disappears_after_s)]
            await add_disappearing(tx, timers, room_id=told.room_id, sent_at=told.event.timestamp, talk=talk)

    await talk.store.write(record)


async def end_due(talk: Talk) -> None:
    """Say of locations that are shared no longer that they are old. Never raises."""
    try:
        async with talk.store.reading() as tx:
            known = await talk.rows.facts.get_prefixed(tx, _PREFIX)
        for key, text in known:
            shared = _Shared.decode(text)
            if talk.clock.now() - shared.began_at >= LONGEST:
                await _end(key, shared, talk)
    except MatrixUnreachable:
        log.info("ends of live locations have to wait for the homeserver")
    except StoreError as error:
        log.warning("ends of live locations have to wait: %s", error.text)
    except Exception:
        log.exception("ends of live locations could not be shown")


async def _end(key: str, shared: _Shared, talk: Talk) -> None:
    _, portal_id, person_id = key.split(":")
    portal = await talk.portals.get(PortalId(int(portal_id)))
    person = await talk.persons.get(PersonId(int(person_id)))
    if portal is not None and portal.room_id is not None and person is not None:
        content = MxMessageContent(
            msgtype=MxMsgType.NOTICE,
            body=LIVE_ENDED,
            mentions=MxMentions(),
            relation=MxEdit(event_id=shared.event_id),
        )
        txn_id, login = MxTxnId(f"live-over-{shared.event_id}"), talk.login_of(person)
        try:
            await talk.ghosts.send_message(
                portal.room_id,
                content,
                person=person,
                txn_id=txn_id,
                sent_at=talk.clock.now(),
                double=None if login is None else login.user,
            )
        except MatrixRefused as error:
            log.info("the end of a live location cannot be shown: %s %s", error.status, error.errcode)
    async with talk.store.transaction() as tx:
        await talk.rows.facts.drop(tx, key)


async def _get(key: str, talk: Talk) -> _Shared | None:
    async with talk.store.reading() as tx:
        text = await talk.rows.facts.get(tx, key)
    return None if text is None else _Shared.decode(text)


def _key(portal_id: PortalId, person_id: PersonId) -> str:
    return f"{_PREFIX}{portal_id}:{person_id}"
