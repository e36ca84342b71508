"""The assertion log: every stanza both ways, and everything a client did wrong."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.simulator.nodes import Node
from tests.simulator.violations import ProtocolViolationError, Violation, ViolationKind

logger = logging.getLogger(__name__)
_KEPT_ENTRIES: Final = 200_000


class Direction(enum.StrEnum):
    """Which way a stanza went, seen from the server."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stanza on one connection."""

    at_seconds: float
    direction: Direction
    peer: str
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A device took responsibility for one stanza."""

    peer: str
    stanza_class: str
    stanza_id: str


class Trace:
    """What happened on the wire."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=_KEPT_ENTRIES)
        self.violations: list[Violation] = []
        self.acknowledged: list[Acknowledgement] = []
        self._tolerated: set[ViolationKind] = set()
        self._changed = asyncio.Event()

    def record(self, direction: Direction, peer: str, node: Node) -> None:
        """Add one stanza."""
        logger.debug("%s %s %s", direction, peer, node)
        self.entries.append(Entry(at_seconds=time.monotonic(), direction=direction, peer=peer, node=node))
        self.pulse()

    def acknowledge(self, peer: str, stanza_class: str, stanza_id: str) -> None:
        """Add one acknowledgement."""
        self.acknowledged.append(Acknowledgement(peer=peer, stanza_class=stanza_class, stanza_id=stanza_id))
        self.pulse()

    def violate(self, error: ProtocolViolationError, *, peer: str, stanza: Node | None = None) -> None:
        """Record a client's mistake; it fails the test unless it is expected or tolerated."""
        shown = error.stanza or (str(stanza) if stanza else "")
        self.violations.append(Violation(kind=error.kind, text=error.text, peer=peer, stanza=shown))
        self.pulse()

    def tolerate(self, *kinds: ViolationKind) -> None:
        """Do not fail on these kinds from now on; they are still recorded."""
        self._tolerated.update(kinds)

    @contextlib.contextmanager
    def expected(self, kind: ViolationKind) -> Iterator[list[Violation]]:
        """Require at least one violation of this kind inside the block and forgive those."""
        before = len(self.violations)
        found: list[Violation] = []
        yield found
        recent = self.violations[before:]
        found.extend(v for v in recent if v.kind is kind)
        self.violations[before:] = [v for v in recent if v.kind is not kind]
        if not found:
            raise AssertionError(f"no client did this: {kind}")

    def require_clean(self) -> None:
        """Fail with every violation that was neither expected nor tolerated."""
        bad = [v for v in self.violations if v.kind not in self._tolerated]
        if bad:
            listing = "\n".join(str(v) for v in bad)
            raise AssertionError(f"{len(bad)} protocol violation(s) by the client:\n{listing}")

    def stanzas(self, direction: Direction, tag: str) -> list[Node]:
        """All stanzas with this tag, oldest first."""
        return [e.node for e in self.entries if e.direction is direction and e.node.tag == tag]

    async def wait_for(self, condition: Callable[[], bool], timeout_seconds: float = 10) -> None:
        """Wait until the condition holds; it is looked at after each stanza and violation."""
        async with asyncio.timeout(timeout_seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def next_stanza(
        self, direction: Direction, matches: Callable[[Node], bool], timeout_seconds: float = 10
    ) -> Node:
        """The first matching stanza, seen already or still to come."""
        found: list[Node] = []

        def look() -> bool:
            found[:] = [e.node for e in self.entries if e.direction is direction and matches(e.node)][:1]
            return bool(found)

        await self.wait_for(look, timeout_seconds)
        return found[0]

    def pulse(self) -> None:
        """Something changed that waiting conditions may look at."""
        self._changed.set()
