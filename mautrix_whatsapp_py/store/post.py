"""Letters between workers that share a database; on Postgres only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mautrix_whatsapp_py.store.leases import Lease
from mautrix_whatsapp_py.store.straight import Straight
from mautrix_whatsapp_py.store.url import PostgresAddress

_PUT = (
    "WITH held AS (SELECT 1 FROM leases WHERE name = $1 AND epoch = $2 AND holder = $3),"
    " put AS (INSERT INTO wa_post(recipient, sender, body) SELECT $4, $3, letter.body"
    " FROM unnest($5::bytea[]) WITH ORDINALITY AS letter(body, place)"
    " WHERE EXISTS (SELECT 1 FROM held) ORDER BY letter.place RETURNING 1)"
    " SELECT count(*) AS number, pg_notify($6, '') FROM put"
)
_TAKE = "DELETE FROM wa_post WHERE recipient = $1 RETURNING seq, sender, body"
_TIDY = "DELETE FROM wa_post WHERE recipient NOT IN (SELECT holder FROM leases WHERE name LIKE 'worker %')"


def channel_of(recipient: str) -> str:
    """On which a recipient is told that there is something; its own, for all who listen to one are woken."""
    return f"mautrix_whatsapp_post_{hashlib.sha256(recipient.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message of one worker to another."""

    sender: str
    body: bytes


class Post:
    """Each call is one statement; letters of one sender arrive in order, after a crash of the server not all."""

    def __init__(self, address: PostgresAddress, *, application: str) -> None:
        self._putting = Straight(address, application=application)
        self._taking = Straight(address, application=application)

    async def put(self, recipient: str, bodies: Sequence[bytes], *, lease: Lease) -> bool:
        """Send letters, in order; False when the sender's lease is another's."""
        (row,) = await self._putting.fetch(
            _PUT, lease.name, lease.epoch, lease.holder, recipient, list(bodies), channel_of(recipient)
        )
        return bool(row["number"])

    async def take(self, recipient: str) -> Sequence[Letter]:
        """All that has come, in order; it is nobody's afterwards."""
        rows = sorted(await self._taking.fetch(_TAKE, recipient), key=lambda row: row["seq"])
        return [Letter(sender=row["sender"], body=row["body"]) for row in rows]

    async def tidy(self) -> None:
        """Throw away what was meant for workers that are no more."""
        await self._taking.fetch(_TIDY)

    async def close(self) -> None:
        """Close the connections."""
        await self._putting.close()
        await self._taking.close()
