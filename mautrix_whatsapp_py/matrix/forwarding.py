"""Transactions where several workers take them: what one of them takes, the leader handles."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol, assert_never

import msgspec

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.matrix.gaps import GapWatch
from mautrix_whatsapp_py.matrix.intake import Intake, OutOfTurn, decode_any
from mautrix_whatsapp_py.matrix.transaction import BadBody
from mautrix_whatsapp_py.model.mx import MxEphemeral, MxReceipt, MxStored, MxTyping

log = logging.getLogger(__name__)


class Taken(Protocol):
    """What others took."""

    @property
    def events(self) -> tuple[MxStored, ...]: ...

    @property
    def bodies(self) -> tuple[str, ...]: ...


class Look(Protocol):
    """How things stand between the workers."""

    @property
    def last(self) -> MxTxnId | None: ...

    @property
    def is_due(self) -> bool: ...

    @property
    def has_any(self) -> bool: ...


class Forwarding(Protocol):
    """The way from one worker to the leader."""

    async def look(self) -> Look: ...

    async def put(self, txn_id: MxTxnId, events: Sequence[MxStored], bodies: Sequence[str]) -> None: ...

    async def take(self) -> Taken: ...

    async def set_last(self, txn_id: MxTxnId) -> None: ...


class _Typing(msgspec.Struct, frozen=True, tag="typing"):
    room_id: str
    users: tuple[str, ...]


class _Receipt(msgspec.Struct, frozen=True, tag="receipt"):
    room_id: str
    user: str
    event_id: str
    is_private: bool
    read_at: datetime | None


def encode_ephemeral(event: MxEphemeral) -> str:
    """An ephemeral event as text."""
    match event:
        case MxTyping():
            part: _Typing | _Receipt = _Typing(room_id=event.room_id, users=tuple(sorted(event.users)))
        case MxReceipt():
            part = _Receipt(
                room_id=event.room_id,
                user=event.user,
                event_id=event.event_id,
                is_private=event.is_private,
                read_at=event.read_at,
            )
        case _:
            assert_never(event)
    return msgspec.json.encode(part).decode()


def decode_forwarded(text: str) -> MxEphemeral:
    """What `encode_ephemeral` made."""
    part = msgspec.json.decode(text, type=_Typing | _Receipt)
    if isinstance(part, _Typing):
        return MxTyping(room_id=MxRoomId(part.room_id), users=frozenset(map(MxUserId, part.users)))
    return MxReceipt(
        room_id=MxRoomId(part.room_id),
        user=MxUserId(part.user),
        event_id=MxEventId(part.event_id),
        is_private=part.is_private,
        read_at=part.read_at,
    )


class Forwarder:
    """Takes transactions on a worker that does not lead."""

    def __init__(
        self,
        forwarding: Forwarding,
        *,
        is_wanted: Callable[[MxUserId], bool],
    ) -> None:
        """`is_wanted` says of which senders the leader wants to know."""
        self._forwarding = forwarding
        self._is_wanted = is_wanted
        self._gaps = GapWatch()
        self._turn = asyncio.Lock()

    async def replay(self) -> int:
        """Nothing: what an earlier run left is the leader's."""
        return 0

    async def take(self, txn_id: MxTxnId, raw: bytes) -> None:
        """See Intake."""
        try:
            transaction = await decode_any(raw)
        except BadBody:
            self._gaps.accept(txn_id)
            raise
        async with self._turn:
            look = await self._forwarding.look()
            if look.last is not None:
                self._gaps.accept(look.last)
            # Nobody takes anything while the leader asks what was missed.
            if look.is_due or self._gaps.must_refuse(txn_id):
                raise OutOfTurn
            events = [event for event in transaction.events if self._is_wanted(event.sender)]
            bodies = [encode_ephemeral(event) for event in transaction.ephemeral]
            await self._forwarding.put(txn_id, events, bodies)
            self._gaps.accept(txn_id)


class LeadingIntake:
    """Takes transactions on the worker that leads, behind all that the others took before."""

    def __init__(self, intake: Intake, forwarding: Forwarding) -> None:
        self._intake = intake
        self._forwarding = forwarding
        self._gathering = asyncio.Lock()
        self._is_replayed = False
        self._is_unsure = False
        """Something may be taken and not handed over: an answer was lost, or a request cancelled."""

    async def replay(self) -> int:
        """See Intake."""
        async with self._gathering:
            if self._is_replayed:
                # What others took since then is pending too, and nobody would look for it once more.
                return 0
            # Its events are in the inbox, from which all is replayed; what is not stored is too old by now.
            await self._forwarding.take()
            count = await self._intake.replay()
            self._is_replayed = True
            return count

    async def take_missed(self, events: Sequence[MxStored]) -> int:
        """See Intake."""
        bodies: list[str] = []

        async def fetch_others() -> Sequence[MxStored]:
            taken = await self._forwarding.take()
            bodies.extend(taken.bodies)
            return taken.events

        async with self._gathering, self._surely():
            count = await self._intake.take_missed(events, fetch_others)
            await self._intake.take_forwarded((), list(map(decode_forwarded, bodies)))
            return count

    async def take(self, txn_id: MxTxnId, raw: bytes) -> None:
        """See Intake."""
        look = await self._forwarding.look()
        if look.last is not None:
            self._intake.note_taken(look.last)
        if look.has_any or self._is_unsure:
            await self._gather()
        await self._intake.take(txn_id, raw)
        await self._forwarding.set_last(txn_id)

    async def gather(self) -> None:
        """Handle what others took."""
        if self._is_unsure or (await self._forwarding.look()).has_any:
            await self._gather()

    async def _gather(self) -> None:
        async with self._gathering, self._surely():
            taken = await self._forwarding.take()
            if taken.events or taken.bodies:
                await self._intake.take_forwarded(taken.events, list(map(decode_forwarded, taken.bodies)))

    @asynccontextmanager
    async def _surely(self) -> AsyncIterator[None]:
        if self._is_unsure:
            await self._intake.hand_over_owed()
        self._is_unsure = True
        yield
        self._is_unsure = False

    async def watch(self, wait: Callable[[], Awaitable[bool]]) -> None:
        """Gather whenever somebody calls, and look from time to time besides; runs for ever."""
        while True:
            is_called = await wait()
            try:
                await (self._gather() if is_called else self.gather())
            except StoreError as error:
                log.warning("what other workers took waits: %s", type(error).__name__)
