"""What becomes of sends that may have left: what must not be said twice waits for somebody who has it."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from datetime import datetime

from mautrix_whatsapp_py.ids import SendId, WaMessageId
from mautrix_whatsapp_py.model.content import WaRepeatable, WaSendable
from mautrix_whatsapp_py.model.wa import WaReceipt, WaReceiptKind

SETTLE_SECONDS = 15.0
"""Servers hand over within seconds what came for a link while it was down."""
MOST_REPEATS = 5
"""Of what may be said again, where the server takes it and confirms nothing."""
MOST_REMEMBERED = 1000
_ARRIVED = frozenset(
    {WaReceiptKind.DELIVERED, WaReceiptKind.SENDER, WaReceiptKind.READ, WaReceiptKind.PLAYED, WaReceiptKind.RETRY}
)
"""What only devices say that have a message, be it that they cannot read it."""


class Settling:
    """Counts repetitions, and remembers which messages others were seen to have."""

    def __init__(self, settle_seconds: float = SETTLE_SECONDS) -> None:
        self._settle_seconds = settle_seconds
        self._repeats: Counter[SendId] = Counter()
        self._arrived: OrderedDict[WaMessageId, datetime] = OrderedDict()
        self._waiting: dict[WaMessageId, asyncio.Event] = {}

    def note(self, receipt: WaReceipt) -> None:
        """Somebody told what they have; on the event loop."""
        if receipt.kind not in _ARRIVED:
            return
        for message_id in receipt.message_ids:
            self._arrived.setdefault(message_id, receipt.timestamp)
            if waiting := self._waiting.get(message_id):
                waiting.set()
        while len(self._arrived) > MOST_REMEMBERED:
            self._arrived.popitem(last=False)

    def get_arrival(self, message_id: WaMessageId) -> datetime | None:
        """When somebody said to have a message; None when nobody did."""
        return self._arrived.get(message_id)

    async def fetch_arrival(self, message_id: WaMessageId) -> datetime | None:
        """The same, after some time for it to be said."""
        said = self._waiting.setdefault(message_id, asyncio.Event())
        try:
            async with asyncio.timeout(self._settle_seconds):
                while message_id not in self._arrived:
                    await said.wait()
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(message_id, None)
        return self._arrived.get(message_id)

    def may_repeat(self, send_id: SendId, content: WaSendable) -> bool:
        """Whether it changes nothing to say it once more; counts it."""
        if not isinstance(content, WaRepeatable) or self._repeats[send_id] >= MOST_REPEATS:
            return False
        self._repeats[send_id] += 1
        return True

    def settled(self, send_id: SendId) -> None:
        """Nobody asks any more."""
        self._repeats.pop(send_id, None)
