"""Asks a homeserver that was away for what it may have forgotten, before it is listened to again.

Synapse counts an event as sent to us when it stands in line for us, and keeps that line in memory: what is in it
when Synapse stops never comes. Whatever comes afterwards must wait, or it would overtake what is asked for.
What is said in the moment in which it has made up for what we refused stays behind, until somebody says more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from mautrix_whatsapp_py.errors import MatrixError, MatrixRefused, StoreError
from mautrix_whatsapp_py.model.mx import MxMark, MxMissed, MxStored
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.ports_homeserver import MxMarks

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often we look whether the homeserver is there while it sends: faster than one restarts."""
IDLE_LOOK_SECONDS = 10.0
BUSY_SECONDS = 60.0
"""For how long after a transaction there may be more in line."""
RETURN_LOOK_SECONDS = 0.3
CALM_SECONDS = 3.0
MARK_SECONDS = 30.0
SAFE_SECONDS = 120.0
"""An event is in line no longer than the homeserver waits for our answer to what is before it."""
SHORT_ABSENCE = timedelta(minutes=10)
"""So long after the last mark a start looks too: the machine may have lost both programs at once. Not later: a
database restored from a backup knows nothing of what was handled since."""
START_SECONDS = 10.0


class Homeserver(Protocol):
    """What is asked; see MissedEvents."""

    async def fetch_reachable(self) -> None: ...
    async def fetch_token(self) -> str: ...
    async def fetch_since(self, token: str) -> MxMissed: ...


class Gate:
    """Whether transactions are taken, and when the last one came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.is_open = True
        self.last_traffic = -BUSY_SECONDS
        self.traffic = asyncio.Event()
        self._doubted_at: float | None = None

    def note_traffic(self) -> None:
        """A transaction came."""
        self.last_traffic = self._clock.monotonic()
        self.traffic.set()

    def note_refusal(self) -> None:
        """A transaction was refused so that one before it comes: what is said while they come may stay behind."""
        self._doubted_at = self._clock.monotonic()

    def settle_doubt(self) -> bool:
        """Whether to look for what stayed behind: once, when what was refused has come and no more does."""
        now, doubted_at = self._clock.monotonic(), self._doubted_at
        if doubted_at is None or self.last_traffic <= doubted_at or now - self.last_traffic < CALM_SECONDS:
            return False
        self._doubted_at = None
        return True

    @property
    def is_busy(self) -> bool:
        """Whether more transactions may be in line."""
        return self._clock.monotonic() - self.last_traffic < BUSY_SECONDS


class CatchUp:
    """Keeps a mark in the homeserver's stream and reads on from there after each absence."""

    def __init__(
        self,
        homeserver: Homeserver,
        marks: MxMarks,
        *,
        gate: Gate,
        deliver: Callable[[Sequence[MxStored]], Awaitable[int]],
        clock: Clock,
    ) -> None:
        self._homeserver = homeserver
        self._rows = marks
        self._gate = gate
        self._deliver = deliver
        self._clock = clock
        self._marks: deque[tuple[float, MxMark]] = deque()
        """With the monotonic time. All before the first was taken: it was looked through, or is old enough."""

    async def start(self) -> None:
        """Look for what was missed while both were away, set the first mark; never keeps the start up for long."""
        try:
            async with asyncio.timeout(START_SECONDS):
                mark = await self._rows.get()
                if mark and (mark.is_due or self._clock.now() - mark.taken_at < SHORT_ABSENCE):
                    await self._fetch(mark)
                else:
                    await self._set_mark()
        except (MatrixError, StoreError, TimeoutError) as error:
            log.warning("could not ask the homeserver what was missed: %s", type(error).__name__)

    async def watch(self) -> None:
        """Notice absences and catch up after each; runs for ever."""
        while True:
            await self._pause()
            try:
                await self._homeserver.fetch_reachable()
                if self._marks and self._gate.settle_doubt():
                    self._drop_marks()
                    await self._fetch(self._marks[0][1])
                elif self._is_mark_wanted():
                    await self._set_mark()
            except MatrixRefused:
                continue
            except MatrixError:
                await self._make_up()
            except StoreError as error:
                log.debug("the mark could not be stored: %s", error.text)

    async def _pause(self) -> None:
        if self._gate.is_busy:
            await self._clock.sleep(LOOK_SECONDS)
            return
        self._gate.traffic.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(IDLE_LOOK_SECONDS))
        waking = asyncio.ensure_future(self._gate.traffic.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    def _is_mark_wanted(self) -> bool:
        if not self._marks:
            return True
        taken, _ = self._marks[-1]
        return self._clock.monotonic() - taken >= MARK_SECONDS and self._gate.last_traffic >= taken

    async def _set_mark(self) -> None:
        self._add_mark(await self._homeserver.fetch_token())
        self._drop_marks()
        await self._rows.put(self._marks[0][1])

    def _add_mark(self, token: str) -> None:
        mark = MxMark(token=token, taken_at=self._clock.now(), is_due=False)
        self._marks.append((self._clock.monotonic(), mark))

    def _drop_marks(self) -> None:
        safe = self._clock.monotonic() - SAFE_SECONDS
        while len(self._marks) > 1 and self._marks[1][0] <= safe:
            self._marks.popleft()

    async def _make_up(self) -> None:
        """The homeserver is away: close the gate until it is back and has told what was missed."""
        if not self._marks:
            return
        self._drop_marks()
        mark = self._marks[0][1]
        self._gate.is_open = False
        log.info("the homeserver is away")
        is_noted = False
        try:
            while True:
                try:
                    if not is_noted:
                        await self._rows.put(MxMark(token=mark.token, taken_at=mark.taken_at, is_due=True))
                        is_noted = True
                    await self._fetch(mark)
                    return
                except MatrixRefused:
                    log.warning("the homeserver is back, but does not tell what was missed")
                    return
                except (MatrixError, StoreError):
                    await self._clock.sleep(RETURN_LOOK_SECONDS)
        finally:
            self._gate.is_open = True

    async def _fetch(self, mark: MxMark) -> None:
        missed = await self._homeserver.fetch_since(mark.token)
        new = await self._deliver(missed.events)
        log.info("%d events that the homeserver had not sent yet were asked for", new)
        self._marks.clear()
        self._add_mark(missed.token)
        await self._rows.put(self._marks[0][1])
