"""The journal of a session in Postgres, where whoever takes the session over finds it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.ids import JournalSeq
from mautrix_whatsapp_py.whatsapp.host.journal import Row, SendRow
from mautrix_whatsapp_py.whatsapp.host.postgres import PostgresAway, PostgresLine

if TYPE_CHECKING:
    import asyncpg

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_LEASE_HELD = "EXISTS (SELECT 1 FROM leases WHERE name = $1 AND epoch = $2)"
_LOGIN_HELD = "EXISTS (SELECT 1 FROM wa_holdings WHERE login = $3 AND holder = $1 AND epoch = $2)"


class PostgresJournal:
    """Implements EventJournal; every write is refused to a host whose lease another worker has."""

    def __init__(self, line: PostgresLine, session: str, *, epoch: int = 0) -> None:
        """With an epoch, the session is held by itself; without, with all others under the lease of this host."""
        self._line = line
        self._session = session
        keeping = line.keeping
        self._lease = (keeping.holder, epoch) if epoch else (keeping.lease, keeping.epoch)
        self._held = _LOGIN_HELD if epoch else _LEASE_HELD
        self._is_closed = threading.Event()

    def append(self, code: int, body: bytes, *, as_file: bool = False) -> None:
        """See EventJournal; a large event is a row like others."""
        values = (self._session, code, time.time_ns() // 1_000_000, body)
        statement = (
            "INSERT INTO wa_journal(session, code, received_at_ms, body)"
            f" SELECT $3::text, $4::int, $5::bigint, $6::bytea WHERE {self._held} RETURNING seq"
        )
        seq = self._line.run(lambda connection: connection.fetchval(statement, *self._lease, *values))
        if seq is None:
            self._end()

    def get_after(self, seq: int, limit: int) -> list[Row]:
        """See EventJournal."""
        statement = (
            "SELECT seq, code, received_at_ms, body FROM wa_journal"
            " WHERE session = $1 AND seq > $2 ORDER BY seq LIMIT $3"
        )
        rows = self._insist(lambda connection: connection.fetch(statement, self._session, seq, limit))
        return [
            Row(
                seq=JournalSeq(row["seq"]),
                code=row["code"],
                received_at=datetime.fromtimestamp(row["received_at_ms"] / 1000, tz=UTC),
                body=row["body"],
            )
            for row in rows
        ]

    def delete(self, seqs: Sequence[JournalSeq]) -> int:
        """See EventJournal."""
        statement = f"DELETE FROM wa_journal WHERE session = $3 AND seq = ANY($4::bigint[]) AND {self._held}"  # noqa: S608
        # Once only: a second try would not count what the first has deleted without saying so.
        try:
            return _count(self._line.run(self._executing(statement, list(seqs))))
        except PostgresAway:
            log.warning("acknowledged events stay for now: the database is away", extra={"login": self._session})
            return 0

    @property
    def depth(self) -> int:
        """See EventJournal."""
        statement = "SELECT count(*) FROM wa_journal WHERE session = $1"
        return int(self._insist(lambda connection: connection.fetchval(statement, self._session)))

    def add_send(self, send_id: str, secret: bytes) -> None:
        """See EventJournal; whoever may not note a send may not send either."""
        statement = (
            "WITH noted AS (INSERT INTO wa_sends(session, send_id, secret, created_at_ms)"
            f" SELECT $3::text, $4::text, $5::bytea, $6::bigint WHERE {self._held} ON CONFLICT DO NOTHING)"
            f" SELECT {self._held}"
        )
        values = (*self._lease, self._session, send_id, secret, time.time_ns() // 1_000_000)
        if not self._insist(lambda connection: connection.fetchval(statement, *values)):
            self._end()

    def get_send(self, send_id: str) -> SendRow | None:
        """See EventJournal."""
        statement = "SELECT secret, message_id, outcome FROM wa_sends WHERE session = $1 AND send_id = $2"
        row = self._insist(lambda connection: connection.fetchrow(statement, self._session, send_id))
        if row is None:
            return None
        return SendRow(send_id=send_id, secret=row["secret"], message_id=row["message_id"], outcome=row["outcome"])

    def set_sent(self, send_id: str, message_id: str, outcome: bytes) -> None:
        """See EventJournal."""
        statement = (
            "UPDATE wa_sends SET message_id = $5, outcome = $6"  # noqa: S608  words of ours
            f" WHERE session = $3 AND send_id = $4 AND {self._held}"
        )
        self._write(statement, send_id, message_id, outcome)

    def delete_sends(self, send_ids: Sequence[str]) -> None:
        """See EventJournal."""
        statement = f"DELETE FROM wa_sends WHERE session = $3 AND send_id = ANY($4::text[]) AND {self._held}"  # noqa: S608
        self._write(statement, list(send_ids))

    def get_fact(self, name: str) -> str:
        """See EventJournal."""
        statement = "SELECT value FROM wa_facts WHERE session = $1 AND name = $2"
        value = self._insist(lambda connection: connection.fetchval(statement, self._session, name))
        return str(value or "")

    def set_fact(self, name: str, value: str) -> None:
        """See EventJournal."""
        if value:
            statement = (
                "INSERT INTO wa_facts(session, name, value)"
                f" SELECT $3::text, $4::text, $5::text WHERE {self._held}"
                " ON CONFLICT (session, name) DO UPDATE SET value = excluded.value"
            )
            self._write(statement, name, value)
        else:
            statement = f"DELETE FROM wa_facts WHERE session = $3 AND name = $4 AND {self._held}"  # noqa: S608
            self._write(statement, name)

    def close(self) -> None:
        """See EventJournal."""
        self._is_closed.set()

    def _end(self) -> None:
        log.error("the lease of this host is another's: it ends", extra={"login": self._session})
        os._exit(ExitCode.LEASE_LOST)

    def _executing(self, statement: str, *values: Any) -> Callable[[asyncpg.Connection], Awaitable[str]]:
        return lambda connection: connection.execute(statement, *self._lease, self._session, *values)

    def _write(self, statement: str, *values: Any) -> None:
        self._insist(self._executing(statement, *values))

    def _insist(self, work: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
        return self._line.insist(work, self._is_closed)


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
