"""Which sends have a row in the outbox, so that what is new need not be looked up there."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import SendId
from mautrix_whatsapp_py.store.outbox import OutboxRows
from mautrix_whatsapp_py.store.store import Store


class OpenSends:
    """A hint that never misses a row: every row was there at the start or is announced before it is made."""

    def __init__(self) -> None:
        self._ids: set[SendId] | None = None

    async def load(self, store: Store, rows: OutboxRows) -> None:
        """Read what is there; before the first event."""
        self._ids = set(await store.read(rows.get_ids))

    def may_exist(self, send_id: SendId) -> bool:
        """Whether there may be a row."""
        return self._ids is None or send_id in self._ids

    def add(self, send_id: SendId) -> None:
        """There may be a row from now on."""
        if self._ids is not None:
            self._ids.add(send_id)

    def remove(self, send_id: SendId) -> None:
        """Its row is gone for good."""
        if self._ids is not None:
            self._ids.discard(send_id)
