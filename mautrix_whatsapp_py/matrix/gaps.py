"""Finds transactions that the homeserver left behind.

Synapse asks whether we are up before it stores a transaction. When we come back between the two, the transaction
is neither sent nor retried: those after it overtake it, and it stays until we are away for the next time. Its ids
count up by one, so a hole in them shows it; a refusal makes Synapse send everything again, the oldest first.
"""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.ids import MxTxnId

log = logging.getLogger(__name__)

MAX_HOLE = 1000
"""What is missing was made while we came back; a greater hole is another count."""
FALSE_ALARMS = 2
"""So many times may others' transactions look like a hole before we stop to look for one."""


class GapWatch:
    """Says which transaction to refuse; on homeservers where others use up numbers it learns to keep still."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._refused: int | None = None
        self._alarms_left = FALSE_ALARMS

    def must_refuse(self, txn_id: MxTxnId) -> bool:
        """Whether a transaction before this one is missing and will come if this one is refused."""
        number = int(txn_id) if txn_id.isascii() and txn_id.isdigit() and len(txn_id) < 16 else None
        if number is None or self._last is None or not 1 < number - self._last <= MAX_HOLE:
            return False
        if number == self._refused:
            self._alarms_left -= 1
            return False
        if self._alarms_left <= 0:
            return False
        log.info("a transaction of the homeserver is missing; it is asked to send them again")
        self._refused = number
        return True

    def accept(self, txn_id: MxTxnId) -> None:
        """A transaction was taken."""
        if txn_id.isascii() and txn_id.isdigit() and len(txn_id) < 16:
            self._last = int(txn_id)
