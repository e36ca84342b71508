"""Events that stand in another room now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId
from mautrix_whatsapp_py.model.portal import DisappearingEvent, ReactionRow
from mautrix_whatsapp_py.store.disappearing import DisappearingRows
from mautrix_whatsapp_py.store.moved_events import MovedEvents
from mautrix_whatsapp_py.store.polls import PollRows
from mautrix_whatsapp_py.store.store import Store
from tests.store.test_polls import poll_of
from tests.store.test_talk_rows import M1, M2, MESSAGES, NOON, REACTIONS, add_person, add_portal, part_of

OLD, NEW = MxRoomId("!old:x"), MxRoomId("!new:x")
RENAMED = {MxEventId(f"${name}"): MxEventId(f"${name} again") for name in ("said", "heart", "poll", "unknown")}


async def test_what_stood_for_the_old_events_stands_for_the_new_ones(store: Store) -> None:
    portal, person = await add_portal(store), await add_person(store, pn="1")
    said = part_of(portal, person, event_id=MxEventId("$said"))
    later = part_of(portal, person, M2, event_id=MxEventId("$later"), sent_at=NOON + timedelta(hours=1))
    heart = ReactionRow(
        portal_id=portal.id,
        message_id=M1,
        author_id=person.id,
        person_id=person.id,
        event_id=MxEventId("$heart"),
        key="❤",
    )
    poll = replace(poll_of(portal), tally_event_id=MxEventId("$said"))
    async with store.transaction() as tx:
        await MESSAGES.add(tx, [said, later])
        await REACTIONS.put(tx, heart)
        await PollRows().add(tx, poll)
        await DisappearingRows().add(
            tx, [DisappearingEvent(event_id=MxEventId("$said"), room_id=OLD, due_at=NOON)]
        )
    for _ in range(2):
        async with store.transaction() as tx:
            await MovedEvents().rename(tx, RENAMED, NEW)
    async with store.transaction() as tx:
        assert await MESSAGES.get_by_event(tx, MxEventId("$said")) is None
        found = await MESSAGES.get_by_event(tx, MxEventId("$said again"))
        assert found == replace(said, event_id=MxEventId("$said again"))
        assert await MESSAGES.get_by_event(tx, MxEventId("$later")) == later
        assert await MESSAGES.get_last(tx, portal.id) == later
        moved = await PollRows().get(tx, portal.id, M1)
        assert moved is not None
        assert (moved.event_id, moved.tally_event_id) == ("$poll again", "$said again")
        (due,) = await DisappearingRows().get_due(tx, NOON, limit=9)
        assert (due.event_id, due.room_id) == ("$said again", NEW)
