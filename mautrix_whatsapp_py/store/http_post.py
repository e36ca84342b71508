"""Requests on their way to the worker that leads, and its answers; on Postgres only.

The leader is addressed as the holder of a lease in an epoch: what is meant for one leader never reaches the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from mautrix_whatsapp_py.store.leases import Lease
from mautrix_whatsapp_py.store.store import Store, Tx

CHANNEL = "mautrix_whatsapp_http"
"""On which recipients are told that there is something for them."""
_LEADER = (
    "SELECT holder || ' ' || epoch AS name FROM leases WHERE name = :lease"
    " AND expires_at_ms >= (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
)
_TELL = f"SELECT recipient, pg_notify('{CHANNEL}', recipient) FROM put"  # noqa: S608  words of ours
_ASK = text(
    "WITH put AS (INSERT INTO http_post(recipient, sender, line, body)"  # noqa: S608  words of ours
    " SELECT leader.name, CAST(:sender AS text), CAST(:line AS text), CAST(:body AS bytea)"
    f" FROM ({_LEADER}) AS leader RETURNING recipient) {_TELL}"
)
_PUT = text(
    "WITH put AS (INSERT INTO http_post(recipient, sender, line, body)"  # noqa: S608  words of ours
    " SELECT CAST(:recipient AS text), CAST(:sender AS text), CAST(:line AS text), CAST(:body AS bytea)"
    f" FROM ({_LEADER}) AS leader WHERE leader.name = :leader RETURNING recipient) {_TELL}"
)
_TAKE = text("DELETE FROM http_post WHERE recipient = :recipient RETURNING seq, sender, line, body")
_WITHDRAW = text("DELETE FROM http_post WHERE recipient = :recipient AND line = :line RETURNING seq")
_DROP = text("DELETE FROM http_post WHERE line = :line")
_TIDY = text("DELETE FROM http_post WHERE recipient <> :leader")


def leader_name(lease: Lease) -> str:
    """How the holder of a lease is addressed."""
    return f"{lease.holder} {lease.epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLetter:
    """A part of a request or of its answer; `line` says of which."""

    sender: str
    line: str
    body: bytes


class HttpPost:
    """Each call is one statement. Nothing of this is logged: it holds what requests hold."""

    def __init__(self, store: Store, *, lease: str) -> None:
        """`lease` is that whose holder leads."""
        self._store = store
        self._lease = lease

    async def ask(self, line: str, body: bytes, *, sender: str) -> str | None:
        """Send the first letter to whoever leads, and who that is; None when nobody does."""
        values = {"lease": self._lease, "sender": sender, "line": line, "body": body}

        async def write(tx: Tx) -> str | None:
            row = (await tx.execute(_ASK, values)).first()
            return None if row is None else str(row.recipient)

        return await self._store.write(write)

    async def put(self, recipient: str, line: str, body: bytes, *, sender: str, leader: str) -> bool:
        """Send another letter; False when that leader leads no more."""
        values = {"lease": self._lease, "leader": leader, "recipient": recipient}
        values |= {"sender": sender, "line": line}

        async def write(tx: Tx) -> bool:
            return (await tx.execute(_PUT, {**values, "body": body})).first() is not None

        return await self._store.write(write)

    async def take(self, recipient: str) -> Sequence[HttpLetter]:
        """All that has come, in order; it is nowhere afterwards."""

        async def write(tx: Tx) -> Sequence[HttpLetter]:
            rows = sorted(await tx.execute(_TAKE, {"recipient": recipient}), key=lambda row: row.seq)
            return [HttpLetter(sender=row.sender, line=row.line, body=row.body) for row in rows]

        return await self._store.write(write)

    async def withdraw(self, recipient: str, line: str) -> bool:
        """Take back what was not taken yet; whether there was any."""

        async def write(tx: Tx) -> bool:
            return (await tx.execute(_WITHDRAW, {"recipient": recipient, "line": line})).first() is not None

        return await self._store.write(write)

    async def drop(self, line: str) -> None:
        """Throw away what was sent and not taken, by both ends."""
        await self._store.write(lambda tx: tx.execute(_DROP, {"line": line}))

    async def tidy(self, leader: str) -> None:
        """Throw away what earlier leaders left, for a new one."""
        await self._store.write(lambda tx: tx.execute(_TIDY, {"leader": leader}))
