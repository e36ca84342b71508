"""What becomes of sends that may have left: what must not be said twice waits for somebody who has it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from mautrix_whatsapp_py.ids import JournalSeq, SendId, WaMessageId
from mautrix_whatsapp_py.model.content import WaRepeatable, WaSendable
from mautrix_whatsapp_py.model.wa import WaEvent, WaReceipt, WaReceiptKind
from mautrix_whatsapp_py.whatsapp.host.gate import post
from mautrix_whatsapp_py.whatsapp.host.journal import Row
from mautrix_whatsapp_py.whatsapp.host.protobuf import RECEIPT_CODE

SETTLE_SECONDS = 15.0
"""Servers hand over within seconds what came for a link while it was down."""
MOST_REPEATS = 5
"""Of what may be said again, where the server takes it and confirms nothing."""
MOST_REMEMBERED = 1000
MOST_DOUBTED = 100
_DOUBTED = "doubted"
_ARRIVED = frozenset(
    {WaReceiptKind.DELIVERED, WaReceiptKind.SENDER, WaReceiptKind.READ, WaReceiptKind.PLAYED, WaReceiptKind.RETRY}
)
"""What only devices say that have a message, be it that they cannot read it."""


class Settling:
    """Counts repetitions, and remembers which messages others were seen to have."""

    def __init__(
        self,
        decode: Callable[[Row], WaEvent],
        settle_seconds: float = SETTLE_SECONDS,
        *,
        get_fact: Callable[[str], str] = lambda _: "",
        set_fact: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """What is doubted is a fact that outlives the host."""
        self._decode = decode
        self._set_fact = set_fact
        self._settle_seconds = settle_seconds
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._repeats: Counter[SendId] = Counter()
        self._arrived: OrderedDict[WaMessageId, datetime] = OrderedDict()
        self._doubted = OrderedDict.fromkeys(map(WaMessageId, get_fact(_DOUBTED).split()))
        """Of which the bridge was told that nobody knows."""
        self._waiting: dict[WaMessageId, asyncio.Event] = {}

    def takes(self, code: int, body: bytes) -> bool:
        """Whether an event need not be kept, for it says only what was expected: most of them do. On any thread.

        Somebody's having a message is of interest to the bridge only when it was told that nobody knows.
        """
        if code != RECEIPT_CODE:
            return False
        event = self._decode(Row(seq=JournalSeq(0), code=code, received_at=datetime.now(UTC), body=body))
        if not isinstance(event, WaReceipt) or event.kind is not WaReceiptKind.DELIVERED:
            return False
        self.note(event)
        return not event.source.is_from_me and not self._is_doubted(event)

    def note(self, receipt: WaReceipt) -> None:
        """Somebody told what they have. On any thread."""
        if receipt.kind not in _ARRIVED:
            return
        with self._lock:
            for message_id in receipt.message_ids:
                self._arrived.setdefault(message_id, receipt.timestamp)
            while len(self._arrived) > MOST_REMEMBERED:
                self._arrived.popitem(last=False)
        if self._waiting:
            post(self._loop, self._wake)

    def _wake(self) -> None:
        for message_id, said in self._waiting.items():
            if message_id in self._arrived:
                said.set()

    def _is_doubted(self, receipt: WaReceipt) -> bool:
        with self._lock:
            return not self._doubted.keys().isdisjoint(receipt.message_ids)

    def _doubt(self, message_id: WaMessageId) -> None:
        with self._lock:
            self._doubted[message_id] = None
            if len(self._doubted) > MOST_DOUBTED:
                self._doubted.popitem(last=False)
        self._set_fact(_DOUBTED, " ".join(self._doubted))

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
            self._doubt(message_id)
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
