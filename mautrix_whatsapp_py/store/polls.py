"""Polls: how their options are named, which events show them, and who chose what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, exists, select, update

from mautrix_whatsapp_py.ids import MxEventId, PersonId, WaMessageId
from mautrix_whatsapp_py.model.polls import PollOption, PollVote
from mautrix_whatsapp_py.model.portal import PollRow, PortalId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import poll_votes, polls


class PollRows:
    """The tables `polls` and `poll_votes`."""

    async def add(self, tx: Tx, poll: PollRow) -> None:
        """Remember a poll; one that is known stays as it is."""
        row = {
            "portal_id": poll.portal_id,
            "message_id": poll.message_id,
            "options": json.dumps([[option.id, option.digest.hex()] for option in poll.options]),
            "max_selections": poll.max_selections,
            "event_id": poll.event_id,
            "tally_event_id": poll.tally_event_id,
            "ends_at_ms": None if poll.ends_at is None else int(poll.ends_at.timestamp() * 1000),
            "is_from_matrix": poll.is_from_matrix,
        }
        await tx.execute(tx.insert(polls).values(row).on_conflict_do_nothing())

    async def get(self, tx: Tx, portal_id: PortalId, message_id: WaMessageId) -> PollRow | None:
        """A poll."""
        where = (polls.c.portal_id == portal_id, polls.c.message_id == message_id)
        row = (await tx.execute(select(polls).where(*where))).first()
        return None if row is None else _decode(row)

    async def set_tally(self, tx: Tx, poll: PollRow, event_id: MxEventId) -> None:
        """Remember the event that shows the votes."""
        where = (polls.c.portal_id == poll.portal_id, polls.c.message_id == poll.message_id)
        await tx.execute(update(polls).where(*where).values(tally_event_id=event_id))

    async def get_due(self, tx: Tx, now: datetime, *, limit: int) -> list[PollRow]:
        """Polls whose end has come and is not shown yet."""
        where = polls.c.ends_at_ms <= int(now.timestamp() * 1000)
        rows = await tx.execute(select(polls).where(where).order_by(polls.c.ends_at_ms).limit(limit))
        return [_decode(row) for row in rows]

    async def end(self, tx: Tx, poll: PollRow) -> None:
        """Its end is shown."""
        where = (polls.c.portal_id == poll.portal_id, polls.c.message_id == poll.message_id)
        await tx.execute(update(polls).where(*where).values(ends_at_ms=None))

    async def put_vote(
        self, tx: Tx, portal_id: PortalId, message_id: WaMessageId, person_id: PersonId, digests: Sequence[bytes]
    ) -> None:
        """Remember a vote in the place of the person's one before."""
        chosen = " ".join(digest.hex() for digest in digests)
        key = {"portal_id": portal_id, "message_id": message_id, "person_id": person_id}
        insert = tx.insert(poll_votes).values(**key, digests=chosen)
        await tx.execute(insert.on_conflict_do_update(index_elements=list(key), set_={"digests": chosen}))

    async def get_votes(self, tx: Tx, portal_id: PortalId, message_id: WaMessageId) -> list[PollVote]:
        """What everybody chose; who took their vote back chose nothing."""
        where = (poll_votes.c.portal_id == portal_id, poll_votes.c.message_id == message_id)
        rows = await tx.execute(select(poll_votes).where(*where).order_by(poll_votes.c.person_id))
        return [
            PollVote(
                person_id=PersonId(row.person_id),
                digests=tuple(bytes.fromhex(digest) for digest in row.digests.split()),
            )
            for row in rows
        ]


async def merge_votes(tx: Tx, *, keep: PersonId, drop: PersonId) -> None:
    """Two addresses are one person, who has one vote per poll."""
    twin = poll_votes.alias()
    has_twin = exists().where(
        twin.c.person_id == keep,
        twin.c.portal_id == poll_votes.c.portal_id,
        twin.c.message_id == poll_votes.c.message_id,
    )
    await tx.execute(delete(poll_votes).where(poll_votes.c.person_id == drop, has_twin))
    await tx.execute(update(poll_votes).where(poll_votes.c.person_id == drop).values(person_id=keep))


def _decode(row: Row[Any]) -> PollRow:
    pairs = json.loads(row.options)
    ends_at_ms = row.ends_at_ms
    return PollRow(
        portal_id=PortalId(row.portal_id),
        message_id=WaMessageId(row.message_id),
        options=tuple(PollOption(id=name, digest=bytes.fromhex(digest)) for name, digest in pairs),
        max_selections=row.max_selections,
        event_id=None if row.event_id is None else MxEventId(row.event_id),
        tally_event_id=None if row.tally_event_id is None else MxEventId(row.tally_event_id),
        ends_at=None if ends_at_ms is None else datetime.fromtimestamp(ends_at_ms / 1000, UTC),
        is_from_matrix=bool(row.is_from_matrix),
    )
