"""What becomes of sends that may have left: what must not be said twice waits for somebody who has it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from datetime import datetime

from mautrix_whatsapp_py.ids import SendId, WaMessageId
from mautrix_whatsapp_py.model.content import WaRepeatable, WaSendable
from mautrix_whatsapp_py.model.wa import WaReceipt, WaReceiptKind

MOST_TRIES = 5
"""So often a send is asked for before its writer is told that nobody knows; lanes rest 15 s meanwhile."""
MOST_REMEMBERED = 1000
_ARRIVED = frozenset(
    {WaReceiptKind.DELIVERED, WaReceiptKind.SENDER, WaReceiptKind.READ, WaReceiptKind.PLAYED, WaReceiptKind.RETRY}
)
"""What only devices say that have a message, be it that they cannot read it."""


class Settling:
    """Counts tries of sends whose fate is open, and remembers what others were seen to have."""

    def __init__(self) -> None:
        self._tries: Counter[SendId] = Counter()
        self._arrived: OrderedDict[WaMessageId, datetime] = OrderedDict()

    def note(self, receipt: WaReceipt) -> None:
        """Somebody told what they have."""
        if receipt.kind in _ARRIVED:
            self._remember(receipt.message_ids, receipt.timestamp)

    def get_arrival(self, message_id: WaMessageId) -> datetime | None:
        """When somebody said to have a message; None when nobody did."""
        return self._arrived.get(message_id)

    def is_open(self, send_id: SendId) -> bool:
        """Whether it is too early to give up; counts as a try."""
        self._tries[send_id] += 1
        return self._tries[send_id] < MOST_TRIES

    def settled(self, send_id: SendId) -> None:
        """Nobody asks any more."""
        self._tries.pop(send_id, None)

    def _remember(self, message_ids: Sequence[WaMessageId], at: datetime) -> None:
        for message_id in message_ids:
            self._arrived.setdefault(message_id, at)
        while len(self._arrived) > MOST_REMEMBERED:
            self._arrived.popitem(last=False)


def is_repeatable(content: WaSendable) -> bool:
    """Whether saying it once more changes nothing."""
    return isinstance(content, WaRepeatable)
