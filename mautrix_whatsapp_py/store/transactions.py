"""Ids of the homeserver's transactions that are stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import transactions
from mautrix_whatsapp_py.store.tx import prepare_insert

_ADD = prepare_insert(
    transactions, lambda insert: insert.on_conflict_do_nothing().returning(transactions.c.txn_id)
)


class TransactionRows:
    """The table `transactions`."""

    async def add(self, tx: Tx, txn_id: MxTxnId, *, received_at: datetime) -> bool:
        """Remember a transaction; False when it is known already.

        On Postgres a second delivery waits here until the first has committed or rolled back.
        """
        row = {"txn_id": txn_id, "received_at_ms": int(received_at.timestamp() * 1000)}
        return (await tx.run_insert(_ADD, row)).first() is not None

    async def prune(self, tx: Tx, *, received_before: datetime, limit: int) -> int:
        """Forget old transactions; how many went."""
        before_ms = int(received_before.timestamp() * 1000)
        old = select(transactions.c.txn_id).where(transactions.c.received_at_ms < before_ms).limit(limit)
        return (await tx.execute(delete(transactions).where(transactions.c.txn_id.in_(old)))).rowcount
