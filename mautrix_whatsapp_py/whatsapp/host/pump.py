"""From a session's journal to the bridge: in order, again after every reconnect, until acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from mautrix_whatsapp_py.ids import JournalSeq, LoginId
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage, WaReceipt, WaUnknown
from mautrix_whatsapp_py.whatsapp.host.journal import EventJournal, Row
from mautrix_whatsapp_py.whatsapp.wire import MAX_FRAME_BYTES, Event, WireError

log = logging.getLogger(__name__)

WINDOW = 256
BATCH = 64
ACK_SECONDS = 0.05
RUSH_SECONDS = 0.25
"""Events wait no longer for those behind them."""
RUSH_LOOK_SECONDS = 0.01
Answer = TypeVar("Answer")


class Outlet(Protocol):
    """The way to the bridge, when there is one."""

    @property
    def epoch(self) -> int:
        """Grows with every bridge that attaches; 0 means none has."""

    def put(self, frame: WaStruct) -> None:
        """Queue a frame; dropped when no bridge is attached."""

    async def drain(self) -> None:
        """Wait until the bridge keeps up."""


@dataclass(slots=True)
class Pump:
    """Feeds one session's journal to the bridge, at most WINDOW events ahead of its acknowledgements."""

    login: LoginId
    journal: EventJournal
    outlet: Outlet
    decode: Callable[[Row], WaEvent]
    on_acked: Callable[[int], None]
    on_phone_seen: Callable[[datetime], None]
    on_receipt: Callable[[WaReceipt], None]
    executor: ThreadPoolExecutor
    is_rushed: Callable[[], bool] = lambda: False
    retry_seconds: float = 1.0
    undecoded: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _epoch: int = 0
    _cursor: int = 0
    _in_flight: set[JournalSeq] = field(default_factory=set)
    _acked: list[JournalSeq] = field(default_factory=list)
    _flush_timer: asyncio.TimerHandle | None = None
    _is_flush_due: bool = False
    _may_have_more: bool = True
    """Whether there may be something to read: a look costs a turn of a thread."""

    def note_stored(self) -> bool:
        """There is something to read; whether that was known. Called on any thread, after it was stored."""
        was_known, self._may_have_more = self._may_have_more, True
        return was_known

    def wake(self) -> None:
        """There may be something to read."""
        self._may_have_more = True
        self._wake.set()

    def ack(self, seqs: Sequence[JournalSeq]) -> None:
        """The bridge has these; they are forgotten soon."""
        self._acked.extend(seqs)
        self._in_flight.difference_update(seqs)
        self._wake.set()
        if self._flush_timer is None:
            # They come one by one; a pause makes one transaction of many.
            self._flush_timer = asyncio.get_running_loop().call_later(ACK_SECONDS, self._let_flush)

    async def run(self) -> None:
        """Work until cancelled; a link whose pump stood still would look connected and be deaf."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._work()
            except Exception:
                log.exception("the journal could not be read; it is tried again", extra={"login": self.login})
                await asyncio.sleep(self.retry_seconds)
                self.wake()

    async def _work(self) -> None:
        if self._epoch != self.outlet.epoch:
            await self._start_over()
        while await self._feed():
            await self._flush_acks_when_due()
        await self._flush_acks_when_due()

    async def _start_over(self) -> None:
        await self._flush_acks()
        self._epoch, self._cursor, self._may_have_more = self.outlet.epoch, 0, True
        self._in_flight.clear()

    async def _feed(self) -> bool:
        """Send the next batch; False when there is nothing to send or no room for it."""
        room = WINDOW - len(self._in_flight)
        if not self._may_have_more or not self._epoch or self._epoch != self.outlet.epoch or room <= 0:
            return False
        await self._let_rush_pass()
        most = min(room, BATCH)
        self._may_have_more = False
        events = await self._in_thread(lambda: self._read(self._cursor, most))
        for seq, event in events:
            if self._epoch != self.outlet.epoch:
                self.wake()
                return False
            self._cursor = seq
            self._in_flight.add(seq)
            self._put(seq, event)
        if events:
            await self.outlet.drain()
        # What comes after a batch that is not full wakes us anew.
        self._may_have_more |= len(events) == most
        return self._may_have_more

    async def _let_rush_pass(self) -> None:
        """Leave the interpreter to the library while it empties its queue.

        It has acknowledged up to a hundred events that are nowhere but there; a crash loses them.
        """
        until = asyncio.get_running_loop().time() + RUSH_SECONDS
        while self.is_rushed() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 a pause is what is waited for
            await asyncio.sleep(RUSH_LOOK_SECONDS)

    def _read(self, after: int, limit: int) -> list[tuple[JournalSeq, WaEvent]]:
        return [(row.seq, self.decode(row)) for row in self.journal.get_after(after, limit)]

    def _put(self, seq: JournalSeq, event: WaEvent) -> None:
        if isinstance(event, WaUnknown):
            self.undecoded += 1
            log.info("event of kind %s is not understood", event.kind, extra={"login": self.login})
        elif (
            isinstance(event, WaMessage | WaReceipt) and event.source.is_from_me and not event.source.sender.device
        ):
            self.on_phone_seen(event.timestamp)
        if isinstance(event, WaReceipt):
            self.on_receipt(event)
        try:
            self.outlet.put(Event(login=self.login, seq=seq, event=event))
        except WireError:
            log.warning("event larger than %d bytes", MAX_FRAME_BYTES, extra={"login": self.login})
            kind = type(event).__name__
            self.outlet.put(Event(login=self.login, seq=seq, event=WaUnknown(kind=kind)))

    def _let_flush(self) -> None:
        self._flush_timer, self._is_flush_due = None, True
        self._wake.set()

    async def _flush_acks_when_due(self) -> None:
        if self._is_flush_due:
            self._is_flush_due = False
            await self._flush_acks()

    async def _flush_acks(self) -> None:
        acked, self._acked = self._acked, []
        if not acked:
            return
        try:
            deleted = await self._in_thread(lambda: self.journal.delete(acked))
        except BaseException:
            self._acked[:0], self._is_flush_due = acked, True
            raise
        self.on_acked(deleted)

    async def _in_thread(self, function: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function)
