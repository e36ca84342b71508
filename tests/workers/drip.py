"""A few chats in which somebody writes while accounts move: how late a message comes because of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.conversation import Conversation

PAUSE_SECONDS = 1.0
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 30.0
NOTHING = "nothing moves"


@dataclass(slots=True, kw_only=True)
class Drip:
    """Chats of its own: in others, who wrote first would not be known."""

    conversations: list[Conversation] = field(default_factory=list)
    late: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from the moment of writing until it was there, by what went on and the direction."""
    missing: int = 0
    """What did not come while one waited: lost, or dropped by a phone, as is judged elsewhere."""

    @asynccontextmanager
    async def during(self, what: str) -> AsyncIterator[None]:
        """Write until the end of the block, and wait until all of it has come."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            flows = [
                flow
                for one in self.conversations
                for flow in (
                    # In turns: the library cannot send and receive in one chat at once, see `host/quiet.py`.
                    Flow(self, one, one.write_out, _on_phone, self.late[f"{what}, out"], 0.0),
                    Flow(self, one, one.write_in, _in_room, self.late[f"{what}, in"], 0.5),
                )
            ]
            for flow in flows:
                group.create_task(flow.run(over))
            try:
                yield
            finally:
                over.set()

    def latest(self, *, while_nothing_moves: bool) -> float:
        """How late the latest message was, in seconds."""
        return max(
            (
                seconds
                for what, found in self.late.items()
                if what.startswith(NOTHING) is while_nothing_moves
                for seconds in found
            ),
            default=0.0,
        )

    def __str__(self) -> str:
        figures = []
        for what, seconds in sorted(self.late.items()):
            found = sorted(seconds)
            p99 = found[int(0.99 * (len(found) - 1))] if found else 0.0
            figures.append(
                f"{what}: {len(found)} messages, p99 {p99:.1f} s, latest {max(found, default=0):.1f} s,"
                f" {sum(one > 5 for one in found)} later than 5 s"
            )
        return "; ".join((*figures, f"{self.missing} did not come in {PATIENCE_SECONDS:.0f} s"))


@dataclass(slots=True)
class Flow:
    """One direction of one chat."""

    drip: Drip
    conversation: Conversation
    write: Callable[[str], Awaitable[None]]
    there: Callable[[Conversation], set[str]]
    late: list[float]
    offset: float
    """Which part of a pause it waits before the first."""
    waiting: dict[str, float] = field(default_factory=dict)

    async def run(self, over: asyncio.Event) -> None:
        """Write until it is over."""
        now = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            await asyncio.sleep(self.offset * PAUSE_SECONDS)
            while not over.is_set():
                began = now()
                await self.write("text")
                tokens = self.conversation.out_tokens if self.there is _on_phone else self.conversation.in_tokens
                self.waiting[tokens[-1][1]] = began
                await asyncio.sleep(PAUSE_SECONDS)
            deadline = now() + PATIENCE_SECONDS
            while self.waiting and now() < deadline:
                await asyncio.sleep(LOOK_SECONDS)
            self.drip.missing += len(self.waiting)
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            if self.waiting:
                for body in self.there(self.conversation) & self.waiting.keys():
                    self.late.append(asyncio.get_running_loop().time() - self.waiting.pop(body))
            await asyncio.sleep(LOOK_SECONDS)


def _on_phone(conversation: Conversation) -> set[str]:
    (box,) = conversation.boxes
    box.collect()
    return {one.text for one in box.received[-50:] if one.text}


def _in_room(conversation: Conversation) -> set[str]:
    return {event.body for event in conversation.alice.events[-400:] if event.room_id == conversation.room}
