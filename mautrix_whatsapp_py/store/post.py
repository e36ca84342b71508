"""Letters between workers that share a database; on Postgres only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from mautrix_whatsapp_py.store.leases import Lease
from mautrix_whatsapp_py.store.store import Store, Tx

CHANNEL = "mautrix_whatsapp_post"
"""On which recipients are told that there is something for them."""
_PUT = text(
    "WITH held AS (SELECT 1 FROM leases WHERE name = :name AND epoch = :epoch AND holder = :holder),"  # noqa: S608
    " put AS (INSERT INTO wa_post(recipient, sender, body)"
    " SELECT CAST(:recipient AS text), CAST(:holder AS text), letter.body"
    " FROM unnest(CAST(:bodies AS bytea[])) WITH ORDINALITY AS letter(body, place)"
    " WHERE EXISTS (SELECT 1 FROM held) ORDER BY letter.place RETURNING 1)"
    f" SELECT count(*), pg_notify('{CHANNEL}', CAST(:recipient AS text)) FROM put"
)
_TAKE = text("DELETE FROM wa_post WHERE recipient = :recipient RETURNING seq, sender, body")
_TIDY = text("DELETE FROM wa_post WHERE recipient NOT IN (SELECT holder FROM leases WHERE name LIKE 'worker %')")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message of one worker to another."""

    sender: str
    body: bytes


class Post:
    """Each call is one statement; letters of one sender arrive in order, after a crash of the server not all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, recipient: str, bodies: Sequence[bytes], *, lease: Lease) -> bool:
        """Send letters, in order; False when the sender's lease is another's."""
        values = {
            "name": lease.name,
            "epoch": lease.epoch,
            "holder": lease.holder,
            "recipient": recipient,
            "bodies": list(bodies),
        }

        async def write(tx: Tx) -> bool:
            return bool((await tx.execute(_PUT, values)).scalar())

        return await self._store.write(write)

    async def take(self, recipient: str) -> Sequence[Letter]:
        """All that has come, in order; it is nobody's afterwards."""

        async def write(tx: Tx) -> Sequence[Letter]:
            rows = sorted(await tx.execute(_TAKE, {"recipient": recipient}), key=lambda row: row.seq)
            return [Letter(sender=row.sender, body=row.body) for row in rows]

        return await self._store.write(write)

    async def tidy(self) -> None:
        """Throw away what was meant for workers that are no more."""
        await self._store.write(lambda tx: tx.execute(_TIDY))
