"""From a transaction's body to the inbox and on to whoever handles events."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from mautrix_whatsapp_py.ids import InboxSeq, MxTxnId, MxUserId
from mautrix_whatsapp_py.matrix.catch_up import Gate
from mautrix_whatsapp_py.matrix.decode import decode_event
from mautrix_whatsapp_py.matrix.gaps import GapWatch
from mautrix_whatsapp_py.matrix.transaction import (
    BadBody,
    MxKeyNews,
    MxTransaction,
    TooOdd,
    decode_odd_transaction,
    decode_transaction,
)
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxStored
from mautrix_whatsapp_py.ports import MxEventSink, MxInbox

log = logging.getLogger(__name__)

MISSED = MxTxnId("missed")
"""Stands for the transactions that never came."""

MOST_FORWARDED = 10_000
"""So many others' events are remembered as handed over."""

KeyTaker = Callable[[MxKeyNews], Awaitable[None]]
Witness = Callable[[Sequence[MxStored]], Awaitable[None]]


Fetch = Callable[[], Awaitable[Sequence[MxStored]]]


async def fetch_nothing() -> Sequence[MxStored]:
    """What there is of others where there are none."""
    return ()


async def see_nothing(_events: Sequence[MxStored]) -> None:
    """What a homeserver without encrypted rooms needs."""


async def take_no_keys(_news: MxKeyNews) -> None:
    """What a bridge needs to which keys come another way."""


class OutOfTurn(Exception):
    """The homeserver has left out a transaction; refused, it sends that one first."""


class Intake:
    """Takes transactions one at a time, as homeservers send them, and hands events over in their order."""

    def __init__(
        self,
        inbox: MxInbox,
        sink: MxEventSink,
        *,
        take_keys: KeyTaker = take_no_keys,
        is_ours: Callable[[MxUserId], bool] = lambda _user: False,
        witness: Witness = see_nothing,
        gate: Gate | None = None,
    ) -> None:
        """`witness` sees all events, those of our own users too, before anything comes of them.

        What `take_keys` has taken is stored when it returns.
        """
        self._witness = witness
        self._inbox = inbox
        self._sink = sink
        self._take_keys = take_keys
        self._is_ours = is_ours
        self._turn = asyncio.Lock()
        self._last_taken: tuple[MxTxnId, int] | None = None
        """Id and hash of the body: Synapse on SQLite counts from 1 again after each restart."""
        self._gaps = GapWatch()
        self._gate = gate
        self._handed_over = InboxSeq(0)
        self._is_replayed = False
        self.ephemeral_taken = 0
        """For whoever wonders whether any come."""
        self._found: set[InboxSeq] = set()
        """Handed over because they were pending, which others' events are too before they are forwarded."""
        self._forwarded: deque[InboxSeq] = deque(maxlen=MOST_FORWARDED)
        self._is_owing = False
        """Events may be stored but not handed over: a commit's answer was lost, or a request cancelled."""

    async def replay(self) -> int:
        """Hand over what an earlier run has left, once, before anything new; how many events."""
        async with self._turn:
            if self._is_replayed:
                return 0
            pending = await self._inbox.get_pending()
            self._found = {event.seq for event in pending}
            self._hand_over(pending)
            self._is_replayed = True
            return len(pending)

    async def take_missed(self, events: Sequence[MxStored], fetch_others: Fetch = fetch_nothing) -> int:
        """Store and hand over events that never came in a transaction; how many were new. StoreError when not.

        What others took meanwhile is fetched behind the commit and comes in its place among them.
        """
        async with self._turn:
            new = await self._add(MISSED, events)
            others = await fetch_others()
            await self._witness(others)
            fresh = [event for event in others if event.seq not in self._found]
            self._forwarded.extend(event.seq for event in fresh)
            self._hand_over(sorted((*new, *fresh), key=lambda event: event.seq))
            self._is_owing = False
            return len(new)

    async def hand_over_owed(self) -> None:
        """Hand over what is stored and was not, whoever has stored it."""
        async with self._turn:
            self._hand_over(await self._fetch_owed())

    def note_taken(self, txn_id: MxTxnId) -> None:
        """Another worker has taken a transaction."""
        self._gaps.accept(txn_id)

    async def take_forwarded(self, events: Sequence[MxStored], ephemeral: Sequence[MxEphemeral]) -> None:
        """Hand over what another worker has stored."""
        if self._gate is not None:
            self._gate.note_traffic()
        async with self._turn:
            await self._witness(events)
            for event in events:
                if event.seq not in self._found:
                    self._forwarded.append(event.seq)
                    self._sink.on_mx_event(decode_event(event), event.seq)
            self._hand_over_ephemeral(ephemeral)

    async def take(self, txn_id: MxTxnId, raw: bytes) -> None:
        """Store a transaction and hand it over.

        Raises StoreError when it is not stored, BadBody when it is none, OutOfTurn when another one comes first.
        """
        try:
            transaction = await decode_any(raw)
        except BadBody:
            # It was sent: nothing was left out.
            self._gaps.accept(txn_id)
            raise
        for event_id in transaction.skipped:
            log.warning("skipped the malformed event %a of transaction %a", event_id, txn_id)
        if self._gate is not None:
            self._gate.note_traffic()
        async with self._turn:
            is_closed = self._gate is not None and not self._gate.is_open
            if is_closed or self._gaps.must_refuse(txn_id):
                if self._gate is not None:
                    self._gate.note_refusal()
                raise OutOfTurn
            await self._take(txn_id, transaction, (txn_id, hash(raw)))
            self._gaps.accept(txn_id)

    async def _take(self, txn_id: MxTxnId, transaction: MxTransaction, mark: tuple[MxTxnId, int]) -> None:
        # The inbox knows repeated events; this is for the parts that are not stored.
        is_repeated, self._last_taken = mark == self._last_taken, None
        new = await self._add(txn_id, transaction.events)
        # Keys come before what they decrypt.
        if not (transaction.keys.is_empty or is_repeated):
            await self._take_keys(transaction.keys)
        self._hand_over(new)
        self._is_owing = False
        if not is_repeated:
            self._hand_over_ephemeral(transaction.ephemeral)
        self._last_taken = mark

    async def _add(self, txn_id: MxTxnId, events: Sequence[MxStored]) -> Sequence[MxStored]:
        """Store events; what is to be handed over now."""
        was_owing, self._is_owing = self._is_owing, True
        await self._witness(events)
        # What our own users said is nothing new: half of all events, and a commit each.
        others = [event for event in events if not self._is_ours(event.sender)]
        new = await self._inbox.add_transaction(txn_id, others) if others else ()
        return await self._fetch_owed() if was_owing else new

    async def _fetch_owed(self) -> Sequence[MxStored]:
        pending = await self._inbox.get_pending()
        owed = [one for one in pending if one.seq > self._handed_over and one.seq not in self._forwarded]
        self._found.update(event.seq for event in owed)
        return owed

    def _hand_over_ephemeral(self, events: Sequence[MxEphemeral]) -> None:
        self.ephemeral_taken += len(events)
        for event in events:
            self._sink.on_mx_ephemeral(event)

    def _hand_over(self, events: Sequence[MxStored]) -> None:
        for event in events:
            self._handed_over = max(self._handed_over, event.seq)
            self._sink.on_mx_event(decode_event(event), event.seq)


async def decode_any(raw: bytes) -> MxTransaction:
    """The parts of a body, however odd; BadBody when it is none."""
    try:
        return decode_transaction(raw)
    except TooOdd:
        return await asyncio.to_thread(decode_odd_transaction, raw)
