"""What there is to say about the workers that share a database; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mautrix_whatsapp_py.ops.leadership import LEAD
from mautrix_whatsapp_py.store.leases import LeaseState, WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLine:
    """One worker."""

    name: str
    version: str
    state: str
    """What it does: leads, works, drains, silent."""
    silent_seconds: float
    logins: int
    """How many it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersReport:
    """All workers, and how the lease stands."""

    workers: tuple[WorkerLine, ...]
    leader: str | None
    epoch: int
    led_seconds: float
    waiting: int
    """Events of the homeserver that are not handled."""
    journalled: int
    """Events of WhatsApp that are not handled."""
    oldest_seconds: float
    """How long the oldest of all of these has been waiting."""
    homeless: int
    """Logins that no worker has that is known."""
    moves: int
    """How often logins have changed hands."""

    @property
    def lines(self) -> tuple[str, ...]:
        """For people."""
        head = (
            "nobody leads"
            if self.leader is None
            else f"{self.leader} leads for {self.led_seconds:.0f} s, epoch {self.epoch}"
        )
        width = max((len(worker.name) for worker in self.workers), default=0)
        rows = (
            f"{worker.name:<{width}}  {worker.state:<6}  {worker.logins} logins  {worker.version}"
            f"  heard of {worker.silent_seconds:.0f} s ago"
            for worker in self.workers
        )
        waiting = f"waiting: {self.waiting} from Matrix, {self.journalled} from WhatsApp"
        if self.waiting or self.journalled:
            waiting += f", the oldest for {self.oldest_seconds:.0f} s"
        return (head, *rows, f"logins: {self.homeless} without a worker, {self.moves} moves so far", waiting)


class Count(Protocol):
    """How many logins a holder has, and how often they changed hands."""

    @property
    def holder(self) -> str: ...

    @property
    def logins(self) -> int: ...

    @property
    def moves(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is not handled yet."""

    matrix: int
    whatsapp: int
    oldest_seconds: float


def report_on(
    workers: Sequence[WorkerState],
    leases: Sequence[LeaseState],
    counts: Sequence[Count],
    *,
    ttl_seconds: float,
    waiting: Waiting,
) -> WorkersReport:
    """Put together what the database says."""
    held = {count.holder: count.logins for count in counts}
    lead = next((state for state in leases if state.lease.name == LEAD and state.left_seconds > 0), None)
    holder = None if lead is None else lead.lease.holder
    lines = tuple(
        WorkerLine(
            name=worker.name,
            version=worker.version,
            state=_state_of(worker, holder, ttl_seconds),
            silent_seconds=worker.age_seconds,
            logins=held.get(worker.holder, 0),
        )
        for worker in workers
    )
    return WorkersReport(
        workers=lines,
        leader=next((worker.name for worker in workers if worker.holder == holder), holder),
        epoch=0 if lead is None else lead.lease.epoch,
        led_seconds=0.0 if lead is None else lead.held_seconds,
        waiting=waiting.matrix,
        journalled=waiting.whatsapp,
        oldest_seconds=waiting.oldest_seconds,
        homeless=sum(held.values()) - sum(line.logins for line in lines),
        moves=sum(count.moves for count in counts),
    )


def _state_of(worker: WorkerState, holder: str | None, ttl_seconds: float) -> str:
    if worker.holder == holder:
        return "leads"
    if worker.age_seconds > ttl_seconds:
        return "silent"
    return "drains" if worker.is_draining else "works"
