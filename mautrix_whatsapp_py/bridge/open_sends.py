"""Which sends have a row in the outbox, and which of them may have left."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import SendId
from mautrix_whatsapp_py.model.portal import OutboxRow
from mautrix_whatsapp_py.store.outbox import OutboxRows
from mautrix_whatsapp_py.store.store import Store


class OpenSends:
    """A hint that never misses a row: every row was there at the start or is announced before it is made."""

    def __init__(self) -> None:
        self._rows: dict[SendId, OutboxRow | None] = {}
        self._left: set[SendId] = set()
        self._is_loaded = False

    async def load(self, store: Store, rows: OutboxRows) -> None:
        """Read what is there; before the first event."""
        found = await store.read(rows.get_ids)
        self._rows.update(dict.fromkeys(found))
        self._left.update(found)
        self._is_loaded = True

    def may_exist(self, send_id: SendId) -> bool:
        """Whether there may be a row."""
        return not self._is_loaded or send_id in self._rows

    def get_begun(self, send_id: SendId) -> OutboxRow | None:
        """The row of a send that this run began and that nothing was said in yet."""
        return self._rows.get(send_id)

    def add(self, send_id: SendId, begun: OutboxRow | None = None) -> None:
        """There may be a row from now on."""
        self._rows[send_id] = begun

    def leave(self, send_id: SendId) -> None:
        """It is handed over to its link."""
        self._left.add(send_id)

    def stay(self, send_id: SendId) -> None:
        """Its link knows nothing of it."""
        self._left.discard(send_id)

    @property
    def have_left(self) -> bool:
        """Whether any send may have left whose row is still there."""
        return not self._is_loaded or bool(self._left)

    def may_have_left(self, send_id: SendId) -> bool:
        """Whether a link may know of it."""
        return not self._is_loaded or send_id in self._left

    def remove(self, send_id: SendId) -> None:
        """Its row is gone for good."""
        self._rows.pop(send_id, None)
        self._left.discard(send_id)
