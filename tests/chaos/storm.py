"""How much is written, what is broken meanwhile, and when."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: how many messages each way, over how many chats, and what happens to whom how often."""

    messages: int
    chats: int
    bridge_kills: int = 0
    host_kills: int = 0
    homeserver_stops: int = 0
    homeserver_away_seconds: float = 0.0
    socket_drops: int = 0
    database_restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """Something that strikes so many times."""

    name: str
    times: int
    strike: Callable[[], Awaitable[None]]


def is_long() -> bool:
    """Whether the run may take its time."""
    return os.environ.get("CHAOS") == "long"


def all_databases(short: str = "sqlite") -> list[str]:
    """What is played on both databases when there is time, else on one."""
    return ["sqlite", "postgres"] if is_long() else [short]


def how_many(name: str, usual: int) -> int:
    """A number that the environment may say otherwise."""
    return int(os.environ.get(name, usual))


def new_seed() -> int:
    """The seed of this run, of the environment if it names one."""
    given = os.environ.get("CHAOS_SEED")
    return int(given) if given else random.SystemRandom().randrange(10**6)


@dataclass(slots=True)
class Storm:
    """Strikes at random points of the writing; writers get ahead of it by one strike at most."""

    rng: random.Random
    steps: int
    forces: list[Force]
    steps_done: int = 0
    strikes_done: int = 0
    _strikes: list[tuple[int, Force]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        strikes = [force for force in self.forces for _ in range(force.times)]
        self.rng.shuffle(strikes)
        when = sorted(self.rng.randrange(1, self.steps) for _ in strikes)
        self._strikes = list(zip(when, strikes, strict=True))

    async def step(self) -> None:
        """A writer has written; waits while the storm is behind."""
        async with self._news:
            self.steps_done += 1
            self._news.notify_all()
            await self._news.wait_for(lambda: self.steps_done < self._limit())

    async def rage(self) -> None:
        """Strike until all is done."""
        for when, force in self._strikes:
            async with self._news:
                await self._news.wait_for(lambda: self.steps_done >= when)  # noqa: B023  awaited at once
            # The moment within what the bridge does is left to chance.
            await asyncio.sleep(self.rng.random() * 0.3)
            await force.strike()
            async with self._news:
                self.strikes_done += 1
                self._news.notify_all()

    def _limit(self) -> int:
        following = self.strikes_done + 1
        return self._strikes[following][0] + 1 if following < len(self._strikes) else self.steps + 1
