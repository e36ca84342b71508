"""What waits for readers: handed out in order until it is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from mautrix_whatsapp_py.channel.faults import bad_request
from mautrix_whatsapp_py.model.channel import ChannelItem, ItemSeq
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.channel_items import FIRST, ItemRows
from mautrix_whatsapp_py.store.store import Store

MAX_BATCH = 100
LEASE_SECONDS = 60.0
"""How long a batch is its reader's own; one that dies in the middle is not waited for longer."""
KNOWN_FOR = timedelta(days=30)
_LOOK_AHEAD = 1_000
_PAGE = 100
IsWanted = Callable[[ChannelItem], bool]


class Feed:
    """The items of all accounts."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rows = ItemRows()
        self._lent: dict[ItemSeq, float] = {}
        self._news = asyncio.Event()
        self._is_closed = False
        self._waiting = 0

    @property
    def is_waited_for(self) -> bool:
        """Whether a reader waits."""
        return self._waiting > 0

    def on_item(self, _account: str) -> None:
        """There is something new."""
        self._wake()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._is_closed = True
        self._wake()

    async def lend(
        self, account: str, *, most: int, wait_seconds: float, is_wanted: IsWanted = lambda _: True
    ) -> Sequence[ChannelItem]:
        """The oldest items that no reader has, which are this reader's now; waits for the first for so long."""
        deadline = self._clock.monotonic() + wait_seconds
        while True:
            news = self._news
            items = await self._get_free(account, most, is_wanted)
            if items:
                until = self._clock.monotonic() + LEASE_SECONDS
                self._lent.update((item.seq, until) for item in items)
                return items
            if not await self._wait(news, account, deadline):
                return ()

    async def follow(
        self, account: str, *, after: ItemSeq, most: int, wait_seconds: float
    ) -> Sequence[ChannelItem]:
        """Items behind a place, whoever has them; waits for the first for so long."""
        deadline = self._clock.monotonic() + wait_seconds
        while True:
            news = self._news
            items = await self._get_ready(account, after, most)
            if items or not await self._wait(news, account, deadline):
                return items

    async def ack(self, cursor: str) -> None:
        """The item of this cursor was dealt with; saying so again changes nothing."""
        seq = read_cursor(cursor)
        await self._store.write(lambda tx: self._rows.ack(tx, seq))
        self._lent.pop(seq, None)

    def take_back(self, items: Sequence[ChannelItem]) -> None:
        """The reader went before it had these."""
        for item in items:
            self._lent.pop(item.seq, None)
        self._wake()

    async def give_back(self, account: str) -> None:
        """What was lent and not acknowledged may be lent again."""
        for item in await self._get_ready(account, FIRST, _LOOK_AHEAD):
            self._lent.pop(item.seq, None)
        self._wake()

    async def get(self, seq: ItemSeq) -> ChannelItem | None:
        """One item that is not acknowledged."""
        return await self._store.read(lambda tx: self._rows.get(tx, seq))

    async def count_waiting(self, account: str) -> int:
        """How many items wait for their reader."""
        return await self._store.read(lambda tx: self._rows.count_waiting(tx, account))

    async def prune(self) -> None:
        """Forget what cannot come again."""
        before = self._clock.now() - KNOWN_FOR
        await self._store.write(lambda tx: self._rows.prune(tx, before))

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _get_free(self, account: str, most: int, is_wanted: IsWanted) -> Sequence[ChannelItem]:
        now = self._clock.monotonic()
        self._lent = {seq: until for seq, until in self._lent.items() if until > now}
        free: list[ChannelItem] = []
        after = FIRST
        while True:
            ready = await self._get_ready(account, after, _PAGE)
            free.extend(item for item in ready if item.seq not in self._lent and is_wanted(item))
            if len(free) >= most or len(ready) < _PAGE:
                return free[:most]
            after = ready[-1].seq

    async def _get_ready(self, account: str, after: ItemSeq, most: int) -> Sequence[ChannelItem]:
        items = await self._store.read(lambda tx: self._rows.get_waiting(tx, [account], after=after, limit=most))
        now = self._clock.now()
        ready: list[ChannelItem] = []
        for item in items:
            if item.ready_at > now:
                # Nothing overtakes it: a reader that follows by place would miss it.
                break
            ready.append(item)
        return ready

    async def _wait(self, news: asyncio.Event, account: str, deadline: float) -> bool:
        """Whether to look again: something came, or an item's time has come."""
        left = deadline - self._clock.monotonic()
        if left <= 0 or self._is_closed:
            return False
        first = await self._get_unready(account)
        until_ready = None if first is None else (first.ready_at - self._clock.now()).total_seconds()
        seconds = left if until_ready is None else min(left, max(until_ready, 0.001))
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            return until_ready is not None or self._clock.monotonic() < deadline
        finally:
            self._waiting -= 1
        return True

    async def _get_unready(self, account: str) -> ChannelItem | None:
        items = await self._store.read(lambda tx: self._rows.get_waiting(tx, [account], limit=_LOOK_AHEAD))
        now = self._clock.now()
        return next((item for item in items if item.ready_at > now), None)


def to_cursor(seq: ItemSeq) -> str:
    """An item's cursor."""
    return f"i{seq}"


def read_cursor(cursor: str) -> ItemSeq:
    """The item a cursor names; ChannelFault when it is none."""
    digits = cursor.removeprefix("i")
    if cursor == digits or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise bad_request("That is no cursor. Give the ack_cursor of an item.")
    return ItemSeq(int(digits))
