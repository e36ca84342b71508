"""Events of the homeserver until they are handled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Row, bindparam, delete, select, update

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxStored
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tables import inbox
from mautrix_whatsapp_py.store.transactions import TransactionRows
from mautrix_whatsapp_py.store.tx import prepare_insert

KEEP_IDS_DAYS = 30
"""How long ids of handled events and of transactions stay known.

A homeserver repeats what it got no answer to within minutes of reaching us again, so the age only has to outlast a
homeserver that is itself away.
"""
PRUNE_BATCH_ROWS = 1000


HANDLED = {"body": None, "sender": "", "room_id": ""}
"""What is left of an event then, beside its id."""
_ADD = prepare_insert(
    inbox, lambda insert: insert.on_conflict_do_nothing().returning(inbox.c.seq, inbox.c.event_id)
)
_MARK_HANDLED = update(inbox).where(inbox.c.seq == bindparam("of_seq")).values(HANDLED)


class InboxRows:
    """The table `inbox`."""

    async def add(self, tx: Tx, events: Sequence[MxStored], *, received_at: datetime) -> list[MxStored]:
        """Store events in their order; those that were new, with their sequence numbers."""
        if not events:
            return []
        rows = [_encode(event, received_at) for event in events]
        # One row alone needs no statement of many values.
        stored = await tx.run_insert(_ADD, rows[0] if len(rows) == 1 else rows)
        seqs = {MxEventId(row.event_id): InboxSeq(row.seq) for row in stored}
        # Popped, so that an event twice in one transaction comes out once.
        return [replace(event, seq=seqs.pop(event.event_id)) for event in events if event.event_id in seqs]

    async def get_pending(self, tx: Tx) -> list[MxStored]:
        """Events that have their body still, oldest first."""
        rows = await tx.execute(select(inbox).where(inbox.c.body.is_not(None)).order_by(inbox.c.seq))
        return [_decode(row) for row in rows]

    async def get_pending_of(self, tx: Tx, seqs: Sequence[InboxSeq]) -> list[MxStored]:
        """Those of some events that have their body still, oldest first."""
        wanted = select(inbox).where(inbox.c.seq.in_(seqs), inbox.c.body.is_not(None)).order_by(inbox.c.seq)
        return [_decode(row) for row in await tx.execute(wanted)]

    async def mark_handled(self, tx: Tx, seq: InboxSeq) -> None:
        """Forget all of an event but its id."""
        await tx.execute(_MARK_HANDLED, {"of_seq": seq})

    async def prune(self, tx: Tx, *, received_before: datetime, limit: int) -> int:
        """Forget the ids of handled events; how many went."""
        old = (
            select(inbox.c.seq)
            .where(inbox.c.received_at_ms < _ms(received_before), inbox.c.body.is_(None))
            .limit(limit)
        )
        return (await tx.execute(delete(inbox).where(inbox.c.seq.in_(old)))).rowcount


class Inbox:
    """The port MxInbox on the database: each call is one transaction."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._events = InboxRows()
        self._transactions = TransactionRows()

    async def add_transaction(self, txn_id: MxTxnId, events: Sequence[MxStored]) -> Sequence[MxStored]:
        """Store a transaction in one database transaction; what was new, with sequence numbers."""
        now = self._clock.now()

        async def add(tx: Tx) -> Sequence[MxStored]:
            # A known id is no reason to drop events: Synapse on SQLite counts from 1 again after each restart.
            await self._transactions.add(tx, txn_id, received_at=now)
            return await self._events.add(tx, events, received_at=now)

        return await self._store.write(add)

    async def get_pending(self) -> Sequence[MxStored]:
        """What is not handled yet, oldest first."""
        async with self._store.reading() as tx:
            return await self._events.get_pending(tx)

    async def mark_handled(self, seq: InboxSeq) -> None:
        """Forget all of an event but its id. Within a handler's own transaction use InboxRows instead."""
        await self._store.write(lambda tx: self._events.mark_handled(tx, seq))

    async def prune(self) -> int:
        """Forget ids that are KEEP_IDS_DAYS old, in batches so that nobody waits long; how many went."""
        before = self._clock.now() - timedelta(days=KEEP_IDS_DAYS)
        total = 0
        for rows in (self._events, self._transactions):
            gone = PRUNE_BATCH_ROWS
            while gone == PRUNE_BATCH_ROWS:
                async with self._store.transaction() as tx:
                    gone = await rows.prune(tx, received_before=before, limit=PRUNE_BATCH_ROWS)
                total += gone
        return total


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _encode(event: MxStored, received_at: datetime) -> dict[str, object]:
    return {
        "event_id": event.event_id,
        "room_id": event.room_id,
        "sender": event.sender,
        "kind": event.kind,
        "body": event.body,
        "received_at_ms": _ms(received_at),
    }


def _decode(row: Row[tuple[object, ...]]) -> MxStored:
    return MxStored(
        seq=InboxSeq(row.seq),
        event_id=MxEventId(row.event_id),
        room_id=MxRoomId(row.room_id),
        sender=MxUserId(row.sender),
        kind=row.kind,
        body=row.body,
    )
