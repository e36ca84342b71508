"""The port MxInbox in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, MxEventId, MxTxnId
from mautrix_whatsapp_py.model.mx import MxStored


class FakeMxInbox:
    """Forgets everything with itself; `failures` calls fail first, having stored or not."""

    def __init__(self) -> None:
        self.transactions: set[MxTxnId] = set()
        self.known: set[MxEventId] = set()
        self.pending: dict[InboxSeq, MxStored] = {}
        self.failures = 0
        self.loses_answers = False
        self._last = 0

    async def add_transaction(self, txn_id: MxTxnId, events: Sequence[MxStored]) -> Sequence[MxStored]:
        if self.failures and not self.loses_answers:
            self._fail()
        new = self._add(txn_id, events)
        if self.failures:
            self._fail()
        return new

    async def get_pending(self) -> Sequence[MxStored]:
        return [self.pending[seq] for seq in sorted(self.pending)]

    async def mark_handled(self, seq: InboxSeq) -> None:
        self.pending.pop(seq, None)

    def _fail(self) -> None:
        self.failures -= 1
        raise StoreUnavailable

    def _add(self, txn_id: MxTxnId, events: Sequence[MxStored]) -> list[MxStored]:
        new: list[MxStored] = []
        self.transactions.add(txn_id)
        for event in events:
            if event.event_id in self.known:
                continue
            self._last += 1
            self.known.add(event.event_id)
            new.append(replace(event, seq=InboxSeq(self._last)))
        self.pending |= {event.seq: event for event in new}
        return new
