"""Which worker has which login; all on Postgres, all times the database's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.store.store import Store, Tx

CHANNEL = "mautrix_whatsapp_holdings"
"""On which it is told that somebody let go of a login, or should."""
WORKER_LEASE = "worker "
"""What the names of workers' own leases begin with."""
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_LIVE = (
    "SELECT holder FROM leases WHERE name LIKE 'worker %'"  # noqa: S608  words of ours
    f" AND expires_at_ms >= {_NOW}"
)
_FREED = (
    "(holder = '' OR holder IN (SELECT leases.holder FROM leases"  # noqa: S608  words of ours
    f" WHERE leases.name LIKE 'worker %' AND leases.expires_at_ms < {_NOW}))"
)
_PEERS = text(
    "SELECT leases.holder, workers.name, workers.weight, workers.is_draining,"  # noqa: S608  words of ours
    f" {_NOW} - leases.taken_at_ms AS age_ms FROM leases JOIN workers ON workers.holder = leases.holder"
    f" WHERE leases.name LIKE 'worker %' AND leases.expires_at_ms >= {_NOW} ORDER BY workers.name"
)
_FREE = text(
    f"SELECT login FROM wa_holdings WHERE is_wanted AND {_FREED} ORDER BY login"  # noqa: S608  words of ours
)
_UNWANTED = text("SELECT login FROM wa_holdings WHERE holder = :holder AND NOT is_wanted")
_CLAIM = text(
    "WITH free AS (SELECT login, holder FROM wa_holdings WHERE login = ANY(:logins) AND is_wanted"  # noqa: S608
    f" AND {_FREED} FOR UPDATE SKIP LOCKED)"
    f" UPDATE wa_holdings SET holder = :holder, epoch = epoch + 1, moves = moves + 1, taken_at_ms = {_NOW}"
    " FROM free WHERE wa_holdings.login = free.login"
    f" AND EXISTS (SELECT 1 FROM leases WHERE name = :lease AND holder = :holder AND expires_at_ms >= {_NOW})"
    " RETURNING wa_holdings.login, wa_holdings.epoch, free.holder AS former"
)
_RELEASE = text("UPDATE wa_holdings SET holder = '' WHERE login = :login AND holder = :holder AND epoch = :epoch")
_DISOWN = text(
    "UPDATE wa_holdings SET holder = ''"
    " WHERE holder <> '' AND holder NOT IN (SELECT holder FROM leases WHERE name LIKE 'worker %')"
)
_WANT = text(
    "INSERT INTO wa_holdings(login, is_wanted, holder, epoch, moves, taken_at_ms)"
    " SELECT wanted, true, '', 0, -1, 0 FROM unnest(CAST(:logins AS text[])) AS wanted"
    " ON CONFLICT (login) DO UPDATE SET is_wanted = true WHERE NOT wa_holdings.is_wanted"
)
_UNWANT = text("UPDATE wa_holdings SET is_wanted = false WHERE login = :login")
_IS_HELD = text(
    f"SELECT 1 FROM wa_holdings WHERE login = :login AND holder IN ({_LIVE})"  # noqa: S608  words of ours
)
_COUNTS = text("SELECT holder, count(*) AS logins, sum(moves) AS moves FROM wa_holdings GROUP BY holder")
_TELL = text(f"NOTIFY {CHANNEL}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A worker whose lease holds, we among them."""

    holder: str
    name: str
    weight: float
    is_draining: bool
    age_seconds: float
    """Since it took its lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A login that is ours now, and who had it before: empty when it was let go."""

    login: LoginId
    epoch: int
    former: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """How many logins a holder has, and how often those have changed hands."""

    holder: str
    logins: int
    moves: int


class HoldingBook:
    """Each call is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # For every worker

    async def get_peers(self) -> Sequence[Peer]:
        """Workers whose leases hold."""
        async with self._store.reading() as tx:
            rows = (await tx.execute(_PEERS)).all()
        return [
            Peer(
                holder=row.holder,
                name=row.name,
                weight=row.weight,
                is_draining=row.is_draining,
                age_seconds=row.age_ms / 1000,
            )
            for row in rows
        ]

    async def get_free(self) -> Sequence[LoginId]:
        """Logins nobody has who lives."""
        async with self._store.reading() as tx:
            return [LoginId(login) for login in (await tx.execute(_FREE)).scalars()]

    async def get_unwanted(self, holder: str) -> Sequence[LoginId]:
        """Logins somebody has and should let go of."""
        async with self._store.reading() as tx:
            return [LoginId(login) for login in (await tx.execute(_UNWANTED, {"holder": holder})).scalars()]

    async def claim(self, logins: Sequence[LoginId], *, holder: str, lease: str) -> Sequence[Claimed]:
        """Take what of these nobody has."""
        values = {"logins": list(logins), "holder": holder, "lease": lease}

        async def write(tx: Tx) -> Sequence[Claimed]:
            rows = (await tx.execute(_CLAIM, values)).all()
            return [Claimed(login=LoginId(row.login), epoch=row.epoch, former=row.former) for row in rows]

        return await self._store.write(write)

    async def release(self, login: LoginId, *, holder: str, epoch: int) -> None:
        """Let go of a login whose session is down."""

        async def write(tx: Tx) -> None:
            await tx.execute(_RELEASE, {"login": login, "holder": holder, "epoch": epoch})
            await tx.execute(_TELL)

        await self._store.write(write)

    async def disown(self) -> None:
        """Free what runs of workers had that others of the same name came after."""
        await self._store.write(lambda tx: tx.execute(_DISOWN))

    # For the leader

    async def want(self, logins: Sequence[LoginId]) -> None:
        """Have these held by somebody."""

        async def write(tx: Tx) -> None:
            await tx.execute(_WANT, {"logins": list(logins)})
            await tx.execute(_TELL)

        await self._store.write(write)

    async def want_no_more(self, login: LoginId) -> None:
        """Have a login let go."""

        async def write(tx: Tx) -> None:
            await tx.execute(_UNWANT, {"login": login})
            await tx.execute(_TELL)

        await self._store.write(write)

    async def is_held(self, login: LoginId) -> bool:
        """Whether somebody who lives has a login."""
        async with self._store.reading() as tx:
            return (await tx.execute(_IS_HELD, {"login": login})).first() is not None

    async def get_counts(self) -> Sequence[Holdings]:
        """Who has how many."""
        async with self._store.reading() as tx:
            rows = (await tx.execute(_COUNTS)).all()
        return [Holdings(holder=row.holder, logins=row.logins, moves=int(row.moves or 0)) for row in rows]
