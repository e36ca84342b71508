"""Events go to the bridge in order, within a window, again after every reconnect, and never after their ack."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mautrix_whatsapp_py.ids import JournalSeq, LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.wa import WaEvent, WaReceipt, WaReceiptKind, WaSource, WaUnknown
from mautrix_whatsapp_py.whatsapp.host.journal import Journal, Row
from mautrix_whatsapp_py.whatsapp.host.pump import WINDOW, Pump
from mautrix_whatsapp_py.whatsapp.wire import MAX_FRAME_BYTES, Event
from tests.unit.whatsapp.host.fakes import FakeOutlet

LOGIN = LoginId("1")


class Stand:
    """A pump at work."""

    def __init__(self, folder: Path, decode: Callable[[Row], WaEvent]) -> None:
        self.journal = Journal(folder / "journal.db", folder / "blobs")
        self.outlet = FakeOutlet(epoch=0)
        self.acked = 0
        self.phone_seen: list[datetime] = []
        self.receipts: list[WaReceipt] = []
        self.changed = asyncio.Event()
        self.outlet.on_put = self.changed.set
        self.pump = Pump(
            login=LOGIN,
            journal=self.journal,
            outlet=self.outlet,
            decode=decode,
            on_acked=self._on_acked,
            on_phone_seen=self.phone_seen.append,
            on_receipt=self.receipts.append,
            executor=ThreadPoolExecutor(1),
        )

    def _on_acked(self, count: int) -> None:
        self.acked += count
        self.changed.set()

    def append(self, *bodies: bytes) -> None:
        for body in bodies:
            self.journal.append(17, body)
        self.pump.wake()

    def attach(self) -> None:
        self.outlet.epoch += 1
        self.pump.wake()

    @property
    def seqs(self) -> list[JournalSeq]:
        return [frame.seq for frame in self.outlet.of_kind(Event)]

    @property
    def kinds(self) -> list[str]:
        return [frame.event.kind for frame in self.outlet.of_kind(Event)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                if not condition():
                    await self.changed.wait()


@asynccontextmanager
async def stand(folder: Path, decode: Callable[[Row], WaEvent] | None = None) -> AsyncIterator[Stand]:
    made = Stand(folder, decode or (lambda row: WaUnknown(kind=row.body.decode())))
    task = asyncio.create_task(made.pump.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.pump.executor.shutdown()
        made.journal.close()


async def test_nothing_is_sent_without_a_bridge(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        it.append(b"a", b"b")
        it.attach()
        await it.until(lambda: it.kinds == ["a", "b"])


async def test_what_is_not_acknowledged_comes_again(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        it.attach()
        it.append(b"a", b"b", b"c")
        await it.until(lambda: it.kinds == ["a", "b", "c"])
        it.pump.ack([it.seqs[1]])
        await it.until(lambda: it.acked == 1)
        it.outlet.frames.clear()
        it.attach()
        await it.until(lambda: it.kinds == ["a", "c"])
        assert it.journal.depth == 2


async def test_a_journal_that_cannot_be_read_for_a_while_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stand(tmp_path) as it:
        it.pump.retry_seconds = 0.0
        it.attach()
        with monkeypatch.context() as broken:
            tried = failing(broken, it, "get_after")
            it.append(b"a")
            await it.until(lambda: len(tried) == 3)
            assert it.kinds == []
        await it.until(lambda: it.kinds == ["a"])
        with monkeypatch.context() as broken:
            tried = failing(broken, it, "delete")
            it.pump.ack(it.seqs)
            await it.until(lambda: len(tried) == 3)
            it.append(b"b")
        await it.until(lambda: it.kinds == ["a", "b"] and it.acked == 1)
        assert it.journal.depth == 1


def failing(patch: pytest.MonkeyPatch, it: Stand, name: str) -> list[None]:
    """The journal's file is not to be read; how often that was tried."""
    tried: list[None] = []

    def fail(*_: object) -> None:
        tried.append(None)
        loop.call_soon_threadsafe(it.changed.set)
        raise sqlite3.OperationalError

    loop = asyncio.get_running_loop()
    patch.setattr(it.journal, name, fail)
    return tried


async def test_no_more_than_a_window_goes_ahead(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        it.attach()
        it.append(*(str(number).encode() for number in range(WINDOW + 10)))
        await it.until(lambda: len(it.seqs) == WINDOW)
        it.pump.ack(it.seqs[:5])
        await it.until(lambda: len(it.seqs) == WINDOW + 5)
        assert it.seqs == sorted(it.seqs)


async def test_an_ack_that_comes_twice_counts_for_the_journal_once(tmp_path: Path) -> None:
    async with stand(tmp_path) as it:
        it.attach()
        it.append(b"a")
        await it.until(lambda: it.kinds == ["a"])
        it.pump.ack(it.seqs * 2)
        await it.until(lambda: it.acked > 0)
        it.pump.ack(it.seqs)
        it.append(b"b")
        await it.until(lambda: it.kinds == ["a", "b"])
        assert it.acked == 1


async def test_an_event_too_large_is_passed_on_as_unknown(tmp_path: Path) -> None:
    async with stand(tmp_path, lambda _: WaUnknown(kind="x" * MAX_FRAME_BYTES)) as it:

        def put(frame: object) -> None:
            from mautrix_whatsapp_py.whatsapp.wire import encode_frame

            encode_frame(frame)  # type: ignore[arg-type]
            it.outlet.frames.append(frame)  # type: ignore[arg-type]
            it.changed.set()

        it.pump.outlet = SizeLimited(it.outlet, put)
        it.attach()
        it.append(b"a")
        await it.until(lambda: it.kinds == ["WaUnknown"])


class SizeLimited:
    """An outlet that refuses what a real one would."""

    def __init__(self, inner: FakeOutlet, put: Callable[[object], None]) -> None:
        self._inner = inner
        self.put = put

    @property
    def epoch(self) -> int:
        return self._inner.epoch

    async def drain(self) -> None:
        return None


async def test_signs_of_the_phone_are_noticed(tmp_path: Path) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    jid = WaJid(user="1", server="lid")
    receipt = WaReceipt(
        source=WaSource(chat=jid, sender=jid, is_from_me=True),
        kind=WaReceiptKind.READ_SELF,
        message_ids=(WaMessageId("a"),),
        timestamp=at,
    )
    async with stand(tmp_path, lambda _: receipt) as it:
        it.attach()
        it.append(b"a")
        await it.until(lambda: len(it.seqs) == 1)
        assert it.phone_seen == [at]
        assert it.receipts == [receipt]


async def test_a_rush_is_let_pass_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mautrix_whatsapp_py.whatsapp.host.pump.RUSH_LOOK_SECONDS", 0)
    async with stand(tmp_path) as it:
        looks = 0

        def is_rushed() -> bool:
            nonlocal looks
            looks += 1
            return looks < 5 or it.kinds == ["a"]

        it.pump.is_rushed = is_rushed
        it.attach()
        it.append(b"a")
        await it.until(lambda: it.kinds == ["a"])
        assert looks == 5
        it.append(b"b")
        await it.until(lambda: it.kinds == ["a", "b"])


async def test_an_acknowledgement_alone_is_no_reason_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stand(tmp_path) as it:
        it.attach()
        it.append(b"a")
        await it.until(lambda: it.kinds == ["a"])
        looks: list[int] = []
        read = it.journal.get_after

        def look(seq: int, limit: int) -> list[Row]:
            looks.append(seq)
            return read(seq, limit)

        monkeypatch.setattr(it.journal, "get_after", look)
        it.pump.ack(it.seqs)
        await it.until(lambda: it.acked == 1)
        assert looks == []
        it.append(b"b")
        await it.until(lambda: it.kinds == ["a", "b"])
        assert len(looks) == 1
