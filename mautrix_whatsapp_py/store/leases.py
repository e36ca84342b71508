"""Workers that share a database, and the leases they hold; all times are the database's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import TextClause, text

from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tx import Row

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_BEAT = text(
    "INSERT INTO workers(name, holder, version, started_at_ms, beat_at_ms, is_draining, weight)"  # noqa: S608
    f" VALUES (:name, :holder, :version, {_NOW}, {_NOW}, false, :weight)"
    f" ON CONFLICT (name) DO UPDATE SET beat_at_ms = {_NOW}, version = :version, weight = :weight,"
    " is_draining = workers.is_draining AND workers.holder = :holder,"
    f" started_at_ms = CASE WHEN workers.holder = :holder THEN workers.started_at_ms ELSE {_NOW} END,"
    " holder = :holder"
    f" WHERE workers.holder = :holder OR workers.beat_at_ms < {_NOW} - :ttl_ms RETURNING is_draining"
)
_LEAVE = text("DELETE FROM workers WHERE name = :name AND holder = :holder")
_DRAIN = text("UPDATE workers SET is_draining = true WHERE name = :name RETURNING name")
_CLAIM = text(
    "WITH former AS (SELECT holder FROM leases WHERE name = :name AND expires_at_ms > 0)"  # noqa: S608
    " INSERT INTO leases(name, epoch, holder, taken_at_ms, expires_at_ms)"
    f" VALUES (:name, 1, :holder, {_NOW}, {_NOW} + :ttl_ms)"
    " ON CONFLICT (name) DO UPDATE SET epoch = leases.epoch + 1, holder = :holder,"
    f" taken_at_ms = {_NOW}, expires_at_ms = {_NOW} + :ttl_ms"
    f" WHERE leases.expires_at_ms < {_NOW} RETURNING epoch, (SELECT holder FROM former)"
)
_RENEW = text(
    f"UPDATE leases SET expires_at_ms = {_NOW} + :ttl_ms"  # noqa: S608
    f" WHERE name = :name AND epoch = :epoch AND holder = :holder AND expires_at_ms >= {_NOW} RETURNING epoch"
)
_RELEASE = text("UPDATE leases SET expires_at_ms = 0 WHERE name = :name AND epoch = :epoch AND holder = :holder")
_HELD = text("SELECT 1 FROM leases WHERE name = :name AND epoch = :epoch AND holder = :holder")
_CONNECTIONS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name = :holder AND datname = current_database() AND pid <> pg_backend_pid()"
)
_WORKERS = text(
    "SELECT name, holder, version, is_draining, started_at_ms, beat_at_ms,"  # noqa: S608
    f" {_NOW} - beat_at_ms AS age_ms FROM workers ORDER BY name"
)
_LEASES = text(
    "SELECT name, epoch, holder, taken_at_ms,"  # noqa: S608
    f" expires_at_ms - {_NOW} AS left_ms, {_NOW} - taken_at_ms AS held_ms FROM leases ORDER BY name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What only one may hold."""

    name: str
    holder: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A lease that is ours now, and who had it before and did not give it back."""

    lease: Lease
    former: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """A worker as the others see it."""

    name: str
    holder: str
    version: str
    is_draining: bool
    age_seconds: float
    """Since it was heard of last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """A lease as it is now."""

    lease: Lease
    left_seconds: float
    held_seconds: float


async def is_held(tx: Tx, lease: Lease) -> bool:
    """Whether nobody has taken a lease over."""
    values = {"name": lease.name, "epoch": lease.epoch, "holder": lease.holder}
    return (await tx.execute(_HELD, values)).first() is not None


class Leases:
    """Each call is one statement; on Postgres only.

    The store commits each by itself: a worker that freezes must not hold the row others want to claim.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def beat(
        self, name: str, holder: str, *, version: str, ttl_seconds: float, weight: float = 1.0
    ) -> bool | None:
        """Say that a worker lives: whether it is to drain; None when another process of its name lives."""
        values: dict[str, object] = {"name": name, "holder": holder, "version": version, "weight": weight}
        values["ttl_ms"] = _ms(ttl_seconds)
        row = await self._store.write(lambda tx: _first(tx, _BEAT, values))
        return None if row is None else bool(row[0])

    async def leave(self, name: str, holder: str) -> None:
        """A worker is no more."""
        await self._store.write(lambda tx: tx.execute(_LEAVE, {"name": name, "holder": holder}))

    async def drain(self, name: str) -> bool:
        """Have a worker let go of everything until it is started anew; False when there is none of that name."""
        return await self._store.write(lambda tx: _first(tx, _DRAIN, {"name": name})) is not None

    async def claim(self, name: str, holder: str, *, ttl_seconds: float) -> Claimed | None:
        """Take a lease that nobody holds any more."""
        values = {"name": name, "holder": holder, "ttl_ms": _ms(ttl_seconds)}
        row = await self._store.write(lambda tx: _first(tx, _CLAIM, values))
        if row is None:
            return None
        former = None if row[1] is None else str(row[1])
        return Claimed(lease=Lease(name=name, holder=holder, epoch=int(str(row[0]))), former=former)

    async def renew(self, lease: Lease, *, ttl_seconds: float) -> bool:
        """Hold a lease for longer; False when it ran out."""
        values = {"name": lease.name, "epoch": lease.epoch, "holder": lease.holder, "ttl_ms": _ms(ttl_seconds)}
        return await self._store.write(lambda tx: _first(tx, _RENEW, values)) is not None

    async def release(self, lease: Lease) -> None:
        """Give a lease back: whoever asks next has it."""
        values = {"name": lease.name, "epoch": lease.epoch, "holder": lease.holder}
        await self._store.write(lambda tx: tx.execute(_RELEASE, values))

    async def cut_off(self, holder: str) -> int:
        """End the connections of a process; how many there were. What it has begun is rolled back."""
        row = await self._store.write(lambda tx: _first(tx, _CONNECTIONS, {"holder": holder}))
        return 0 if row is None else int(str(row[0]))

    async def get_workers(self) -> Sequence[WorkerState]:
        """Every worker that has not left."""
        async with self._store.reading() as tx:
            rows = (await tx.execute(_WORKERS)).all()
        return [
            WorkerState(
                name=row.name,
                holder=row.holder,
                version=row.version,
                is_draining=row.is_draining,
                age_seconds=row.age_ms / 1000,
            )
            for row in rows
        ]

    async def get_leases(self) -> Sequence[LeaseState]:
        """Every lease there ever was."""
        async with self._store.reading() as tx:
            rows = (await tx.execute(_LEASES)).all()
        return [
            LeaseState(
                lease=Lease(name=row.name, holder=row.holder, epoch=row.epoch),
                left_seconds=row.left_ms / 1000,
                held_seconds=row.held_ms / 1000,
            )
            for row in rows
        ]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


async def _first(tx: Tx, statement: TextClause, values: Row) -> Sequence[object] | None:
    row = (await tx.execute(statement, values)).first()
    return None if row is None else tuple(row)
