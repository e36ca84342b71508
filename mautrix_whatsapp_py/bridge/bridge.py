"""The bridge: handles what happened in order per room and forgets it only when its effect is durable."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from mautrix_whatsapp_py.bridge.deps import BridgeDeps
from mautrix_whatsapp_py.bridge.from_matrix import encrypted, member, message
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq, MxRoomId
from mautrix_whatsapp_py.model.mx import (
    MxEncrypted,
    MxEphemeral,
    MxEvent,
    MxMember,
    MxMessage,
    MxOther,
    MxReaction,
    MxRedaction,
)
from mautrix_whatsapp_py.tasks import Backoff, KeyedQueue

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0


def _retry_backoff() -> Backoff:
    return Backoff(first_seconds=1.0, cap_seconds=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    event: MxEvent
    seq: InboxSeq


@dataclass(slots=True, kw_only=True)
class _Lane:
    """What waits in one room, the oldest first; it stays in front until it is done."""

    rows: deque[_Row] = field(default_factory=deque)
    backoff: Backoff
    rest_seconds: float = 0.0


class Bridge:
    """The centre: an MxEventSink whose handlers run in one ordered queue per room."""

    def __init__(self, deps: BridgeDeps, *, make_backoff: Callable[[], Backoff] = _retry_backoff) -> None:
        self._deps = deps
        self._make_backoff = make_backoff
        self._queue: KeyedQueue[MxRoomId] = KeyedQueue("matrix")
        self._lanes: dict[MxRoomId, _Lane] = {}
        self._stopping = asyncio.Event()

    @property
    def inbox_depth(self) -> int:
        """Stored events that are not handled yet, those under way not counted."""
        return sum(len(lane.rows) for lane in self._lanes.values())

    def on_mx_event(self, event: MxEvent, seq: InboxSeq) -> None:
        """Queue a stored event behind all that its room still has to handle."""
        room_id = event.origin.room_id
        lane = self._lanes.get(room_id)
        if lane is None:
            lane = self._lanes[room_id] = _Lane(backoff=self._make_backoff())
        lane.rows.append(_Row(event=event, seq=seq))
        self._queue_lane(room_id, lane)

    def on_mx_ephemeral(self, event: MxEphemeral) -> None:
        """Nobody is told of typing and receipts yet."""

    async def idle(self) -> None:
        """Wait until everything is handled."""
        await self._queue.idle()

    async def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Let running jobs finish for a while; what waits stays in the inbox for the next start."""
        self._stopping.set()
        try:
            async with asyncio.timeout(seconds):
                await self._queue.idle()
        except TimeoutError:
            log.warning("stopping with work under way; it is repeated at the next start")
        await self._queue.stop()

    def _queue_lane(self, room_id: MxRoomId, lane: _Lane) -> None:
        self._queue.put(room_id, partial(self._advance, room_id, lane))

    async def _advance(self, room_id: MxRoomId, lane: _Lane) -> None:
        """Handle the oldest event of a room; when that must wait, it stays the oldest and gets another job."""
        if self._stopping.is_set() or not lane.rows:
            return
        if lane.rest_seconds > 0:
            # A job of its own: resting must not count as being stuck.
            await self._rest(lane.rest_seconds)
            lane.rest_seconds = 0.0
            self._queue_lane(room_id, lane)
            return
        row = lane.rows.popleft()
        if await self._is_settled(row):
            lane.backoff.reset()
            self._forget_if_empty(room_id, lane)
            return
        lane.rows.appendleft(row)
        lane.rest_seconds = lane.backoff.next_seconds()
        self._queue_lane(room_id, lane)

    async def _is_settled(self, row: _Row) -> bool:
        """Handle an event and forget it; false when it must be tried again."""
        origin = row.event.origin
        try:
            await self._handle(row.event)
        except (MatrixUnreachable, StoreUnavailable) as error:
            log.warning("event %s has to wait: %s", origin.event_id, type(error).__name__)
            return False
        except MatrixRefused as error:
            log.warning("event %s was handled in vain: %s %s", origin.event_id, error.status, error.errcode)
        except Exception:
            # A fault of ours would repeat for ever; the event is given up and the room goes on.
            log.exception("event %s could not be handled", origin.event_id)
        try:
            await self._deps.inbox.mark_handled(row.seq)
        except StoreUnavailable:
            log.warning("event %s cannot be marked as handled: the database is away", origin.event_id)
            return False
        return True

    async def _handle(self, event: MxEvent) -> None:
        if self._deps.is_ours(event.origin.sender):
            return
        match event:
            case MxMessage():
                await message.handle(event, self._deps)
            case MxMember():
                await member.handle(event, self._deps)
            case MxEncrypted():
                await encrypted.handle(event, self._deps)
            case MxReaction() | MxRedaction() | MxOther():
                pass
            case _:
                assert_never(event)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not while stopping."""
        resting = asyncio.ensure_future(self._deps.clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({resting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            resting.cancel()
            stopping.cancel()

    def _forget_if_empty(self, room_id: MxRoomId, lane: _Lane) -> None:
        if not lane.rows and self._lanes.get(room_id) is lane:
            del self._lanes[room_id]
