"""A few chats in which somebody writes while accounts move: how late a message comes because of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.conversation import Conversation

PAUSE_SECONDS = 0.5
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Drip:
    """Chats of its own: in others, who wrote first would not be known."""

    conversations: list[Conversation] = field(default_factory=list)
    late: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from the moment of writing until it was there, by what went on and the direction."""

    @asynccontextmanager
    async def during(self, what: str) -> AsyncIterator[None]:
        """Write until the end of the block, and wait until all of it has come."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for conversation in self.conversations:
                for write, there, direction in (
                    (conversation.write_out, _on_phone, "out"),
                    (conversation.write_in, _in_room, "in"),
                ):
                    seconds = self.late[f"{what}, {direction}"]
                    group.create_task(_flow(conversation, write, there, over, seconds))
            try:
                yield
            finally:
                over.set()

    def __str__(self) -> str:
        figures = []
        for what, seconds in sorted(self.late.items()):
            found = sorted(seconds)
            p99 = found[int(0.99 * (len(found) - 1))] if found else 0.0
            figures.append(
                f"{what}: {len(found)} messages, p99 {p99:.1f} s, latest {max(found, default=0):.1f} s,"
                f" {sum(one > 5 for one in found)} later than 5 s"
            )
        return "; ".join(figures)


async def _flow(
    conversation: Conversation,
    write: Callable[[str], Awaitable[None]],
    there: Callable[[Conversation], set[str]],
    over: asyncio.Event,
    late: list[float],
) -> None:
    now = asyncio.get_running_loop().time
    waiting: dict[str, float] = {}
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(conversation, there, waiting, late))
        while not over.is_set():
            began = now()
            await write("text")
            tokens = conversation.out_tokens if there is _on_phone else conversation.in_tokens
            waiting[tokens[-1][1]] = began
            await asyncio.sleep(PAUSE_SECONDS)
        deadline = now() + PATIENCE_SECONDS
        while waiting and now() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
        late.extend(now() - began for began in waiting.values())
        watching.cancel()


async def _watch(
    conversation: Conversation,
    there: Callable[[Conversation], set[str]],
    waiting: dict[str, float],
    late: list[float],
) -> None:
    while True:
        if waiting:
            for body in there(conversation) & waiting.keys():
                late.append(asyncio.get_running_loop().time() - waiting.pop(body))
        await asyncio.sleep(LOOK_SECONDS)


def _on_phone(conversation: Conversation) -> set[str]:
    (box,) = conversation.boxes
    box.collect()
    return {one.text for one in box.received[-50:] if one.text}


def _in_room(conversation: Conversation) -> set[str]:
    return {event.body for event in conversation.alice.events[-400:] if event.room_id == conversation.room}
