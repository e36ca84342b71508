"""Which of the workers that share a database leads, and that it stops before another can."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreError
from mautrix_whatsapp_py.fencing import Fence, machine_seconds
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.leases import Claimed, Lease

log = logging.getLogger(__name__)

LEAD = "bridge"
"""The lease of the worker that leads."""
BEATS_PER_LEASE = 5
FENCE_SHARE = 0.85
"""How much of a lease is used: what is left is for a process to end in."""
CUT_OFF_SECONDS = 0.1

Hold = Callable[[float], None]


class LeaseBook(Protocol):
    """What is asked of the database; see Leases."""

    async def beat(
        self, name: str, holder: str, *, version: str, ttl_seconds: float, weight: float
    ) -> bool | None: ...

    async def leave(self, name: str, holder: str) -> None: ...

    async def claim(self, name: str, holder: str, *, ttl_seconds: float) -> Claimed | None: ...

    async def renew(self, lease: Lease, *, ttl_seconds: float) -> bool: ...

    async def release(self, lease: Lease) -> None: ...

    async def cut_off(self, holder: str) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """Who we are among the workers; `holder` is of this run alone."""

    name: str
    version: str
    holder: str
    weight: float = 1.0
    """Its share of the logins beside those of others."""


def new_identity(name: str, version: str, *, weight: float = 1.0) -> WorkerIdentity:
    """The identity of a process that starts."""
    return WorkerIdentity(
        name=name, version=version, weight=weight, holder=f"mautrix-whatsapp-py {name} {secrets.token_hex(4)}"
    )


class Term:
    """A time of leading: from a claim until its release, or the end of the process."""

    def __init__(self, lease: Lease, fence: Fence, *, is_rescue: bool = False) -> None:
        """`is_rescue` says that whoever had it before did not give it back."""
        self.lease = lease
        self.is_rescue = is_rescue
        self.fence = fence
        self.is_over = asyncio.Event()
        """Set when somebody else is to lead."""
        self._listeners: list[Hold] = []

    def add_listener(self, hold: Hold) -> None:
        """Tell somebody until when the lease holds, now and whenever that changes."""
        self._listeners.append(hold)
        hold(self.fence.until)

    def remove_listener(self, hold: Hold) -> None:
        """Tell them no more."""
        self._listeners.remove(hold)

    def prolong(self, until: float) -> None:
        """The lease was renewed."""
        self.fence.until = until
        for hold in self._listeners:
            hold(until)


class Leadership:
    """One worker's part in it. Its clock is the machine's, which goes on while a process or a machine sleeps.

    With another lease than the leader's, it is the same for whatever that one is about.
    """

    def __init__(
        self,
        leases: LeaseBook,
        identity: WorkerIdentity,
        *,
        ttl_seconds: float,
        clock: Clock,
        lease: str = LEAD,
        now: Callable[[], float] = machine_seconds,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._lease = lease
        self._leases = leases
        self.identity = identity
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._now = now
        self._end = end
        self.is_draining = False

    @property
    def beat_seconds(self) -> float:
        """How often a lease is renewed."""
        return self._ttl_seconds / BEATS_PER_LEASE

    async def join(self) -> None:
        """Be known to the others; StartupError when another process of our name lives on."""
        for _ in range(BEATS_PER_LEASE + 3):
            if await self._beat():
                return
            await self._clock.sleep(self.beat_seconds)
        raise StartupError(
            f"Another worker is called {self.identity.name}",
            mend="give each worker a name of its own in cluster.worker, or stop the other one",
            code=ExitCode.DATA_FOLDER,
        )

    async def stand_by(self) -> Term:
        """Wait until nobody leads, then lead."""
        while True:
            try:
                if await self._beat() and not self.is_draining and (term := await self._claim()):
                    return term
            except StoreError as error:
                log.warning("the database is away, this worker stands by: %s", type(error).__name__)
            await self._clock.sleep(self.beat_seconds / 2)

    async def keep(self, term: Term) -> None:
        """Renew the lease until it is released; a lease that is lost ends the process."""
        while True:
            await self._clock.sleep(self.beat_seconds)
            asked_at = self._now()
            try:
                async with asyncio.timeout(self.beat_seconds * 2):
                    is_held = await self._leases.renew(term.lease, ttl_seconds=self._ttl_seconds)
                    if is_held:
                        term.prolong(self._until(asked_at))
                        await self._beat()
            except (StoreError, TimeoutError) as error:
                log.warning("the lease could not be renewed: %s", type(error).__name__)
                continue
            if not is_held:
                log.error("the lease of %s is another's: this worker ends", self._lease)
                self._end(ExitCode.LEASE_LOST)
                return
            if self.is_draining:
                term.is_over.set()

    async def step_down(self, term: Term) -> None:
        """Let another one lead, at once; when all we did is down."""
        try:
            await self._leases.release(term.lease)
        except StoreError as error:
            log.warning("the lease could not be given back, it runs out: %s", type(error).__name__)
        finally:
            term.fence.open()

    async def leave(self) -> None:
        """Be known no more."""
        try:
            await self._leases.leave(self.identity.name, self.identity.holder)
        except StoreError as error:
            log.warning("this worker could not sign off: %s", type(error).__name__)

    async def _beat(self) -> bool:
        """Say that we live; whether nobody else does under our name."""
        me = self.identity
        answer = await self._leases.beat(
            me.name, me.holder, version=me.version, ttl_seconds=self._ttl_seconds, weight=me.weight
        )
        if answer is not None:
            self.is_draining = answer
        return answer is not None

    async def _claim(self) -> Term | None:
        asked_at = self._now()
        claimed = await self._leases.claim(self._lease, self.identity.holder, ttl_seconds=self._ttl_seconds)
        if claimed is None:
            return None
        fence = Fence(self._until(asked_at), end=self._end)
        fence.start()
        if claimed.former is not None:
            await self.silence(claimed.former)
        log.info("this worker has the lease of %s, epoch %d", self._lease, claimed.lease.epoch)
        return Term(claimed.lease, fence, is_rescue=claimed.former is not None)

    async def silence(self, former: str) -> None:
        """Whatever a former holder has begun, and hangs with, must not be committed after what we do."""
        # Not for longer: a lease that has just been taken is not renewed meanwhile.
        for _ in range(max(1, int(self.beat_seconds / CUT_OFF_SECONDS))):
            if not await self._leases.cut_off(former):
                return
            await self._clock.sleep(CUT_OFF_SECONDS)
        log.warning("connections of a former holder could not be ended")

    def _until(self, asked_at: float) -> float:
        return asked_at + self._ttl_seconds * FENCE_SHARE
