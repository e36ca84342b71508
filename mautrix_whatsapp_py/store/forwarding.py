"""What the homeserver gave to workers that do not lead, on its way to the one that does; on Postgres only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.mx import MxStored
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store import marks
from mautrix_whatsapp_py.store.leases import Lease
from mautrix_whatsapp_py.store.straight import Straight

CHANNEL = "mautrix_whatsapp_forwarded"
_LAST = "last transaction"
_LOOK = (
    f"SELECT (SELECT value FROM kv WHERE key = '{_LAST}') AS last,"  # noqa: S608  words of ours
    f" (SELECT value FROM kv WHERE key = '{marks.KEY}') AS mark, EXISTS (SELECT 1 FROM forwarded) AS has_any"
)
_REPLACE = "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_PUT = (
    "WITH new AS (INSERT INTO inbox(event_id, room_id, sender, kind, body, received_at_ms)"  # noqa: S608  words of ours
    " SELECT event_id, room_id, sender, kind, body, $1::bigint"
    " FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
    " WITH ORDINALITY AS one(event_id, room_id, sender, kind, body, place)"
    " ORDER BY place ON CONFLICT (event_id) DO NOTHING RETURNING seq),"
    " put AS (INSERT INTO forwarded(inbox_seq, body) SELECT seq, body FROM"
    " (SELECT seq, NULL::text AS body, 0 AS place FROM new UNION ALL"
    " SELECT NULL, said.body, said.place FROM unnest($7::text[]) WITH ORDINALITY AS said(body, place)) AS one"
    " ORDER BY place, seq RETURNING 1),"
    f" last AS (INSERT INTO kv(key, value) VALUES ('{_LAST}', $8) {_REPLACE})"
    f" SELECT pg_notify('{CHANNEL}', '') WHERE EXISTS (SELECT 1 FROM put)"
)
_LED = "EXISTS (SELECT 1 FROM leases WHERE name = $1 AND epoch = $2 AND holder = $3)"
_TAKE = (
    f"WITH gone AS (DELETE FROM forwarded WHERE {_LED} RETURNING seq, inbox_seq, body)"  # noqa: S608  words of ours
    " SELECT gone.body AS said, inbox.* FROM gone LEFT JOIN inbox ON inbox.seq = gone.inbox_seq ORDER BY gone.seq"
)
_SET_LAST = f"INSERT INTO kv(key, value) SELECT '{_LAST}', $4::text WHERE {_LED} {_REPLACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How things stand between the workers."""

    last: MxTxnId | None
    """The newest transaction any worker has taken."""
    is_due: bool
    """Whether the leader asks what was missed."""
    has_any: bool
    """Whether anything is forwarded and not taken yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """Stored events and the bodies of what is not stored, in the order they came."""

    events: tuple[MxStored, ...]
    bodies: tuple[str, ...]


class Forwarding:
    """Each call is one statement: there is one of each for nearly every transaction of the homeserver."""

    def __init__(self, line: Straight, clock: Clock, *, lead: Lease | None = None) -> None:
        """With a lease it is the leader's, which others' is not."""
        self._line = line
        self._clock = clock
        self._lead = ("", 0, "") if lead is None else (lead.name, lead.epoch, lead.holder)

    async def look(self) -> Look:
        """How things stand."""
        (row,) = await self._line.fetch(_LOOK)
        last, mark = row["last"], row["mark"]
        return Look(
            last=None if last is None else MxTxnId(last),
            is_due=mark is not None and marks.decode_mark(mark).is_due,
            has_any=row["has_any"],
        )

    async def put(self, txn_id: MxTxnId, events: Sequence[MxStored], bodies: Sequence[str]) -> None:
        """Store a transaction and tell the leader of it."""
        await self._line.fetch(
            _PUT,
            int(self._clock.now().timestamp() * 1000),
            [event.event_id for event in events],
            [event.room_id for event in events],
            [event.sender for event in events],
            [event.kind for event in events],
            [event.body for event in events],
            list(bodies),
            txn_id,
        )

    async def take(self) -> Forwarded:
        """What was forwarded since the last time; the events of it stay in the inbox until they are handled."""
        rows = await self._line.fetch(_TAKE, *self._lead)
        # What has no body any more is handled.
        events = sorted(map(_decode, (row for row in rows if row["body"] is not None)), key=lambda one: one.seq)
        return Forwarded(
            events=tuple(events), bodies=tuple(row["said"] for row in rows if row["said"] is not None)
        )

    async def set_last(self, txn_id: MxTxnId) -> None:
        """The leader has taken a transaction itself."""
        await self._line.fetch(_SET_LAST, *self._lead, txn_id)


def _decode(row: Any) -> MxStored:
    return MxStored(
        seq=InboxSeq(row["seq"]),
        event_id=MxEventId(row["event_id"]),
        room_id=MxRoomId(row["room_id"]),
        sender=MxUserId(row["sender"]),
        kind=row["kind"],
        body=row["body"],
    )
