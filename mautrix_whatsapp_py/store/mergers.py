"""People who turned out to be one, until Matrix shows it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mautrix_whatsapp_py.ids import MxUserId, PersonId
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Tx

_MERGER = "merged:"


class MergerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody turned out to be, and the ghost that is not needed any more."""

    kept: PersonId
    ghost: MxUserId


class MergerRecords:
    """One record per person who is no more."""

    def __init__(self) -> None:
        self._kv = KvRows()

    async def get_all(self, tx: Tx) -> Mapping[PersonId, MergerRecord]:
        """Everything that is still to be shown."""
        rows = await self._kv.get_prefixed(tx, _MERGER)
        return {
            PersonId(int(key.removeprefix(_MERGER))): msgspec.json.decode(text, type=MergerRecord)
            for key, text in rows
        }

    async def put(self, tx: Tx, dropped: PersonId, record: MergerRecord) -> None:
        """Remember a merger; in the transaction that merges the rows."""
        await self._kv.put(tx, f"{_MERGER}{dropped}", msgspec.json.encode(record).decode())

    async def drop(self, tx: Tx, dropped: PersonId) -> None:
        """Matrix shows it."""
        await self._kv.drop(tx, f"{_MERGER}{dropped}")
