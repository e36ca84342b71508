"""Synchronisations that are under way, so that one a crash interrupts goes on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Tx

_SYNC = "sync:"


class SyncRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for, and how far it has come."""

    login_id: LoginId
    parts: tuple[str, ...]
    room_id: MxRoomId
    event_id: MxEventId
    is_thorough: bool
    lines: dict[str, str] = {}
    """What is shown of the parts that are done."""
    changed: int = 0
    runs: int = 0
    """How often it was begun."""


class SyncRecords:
    """One record per user."""

    def __init__(self) -> None:
        self._kv = KvRows()

    async def get_all(self, tx: Tx) -> Mapping[MxUserId, SyncRecord]:
        """Everything that is under way."""
        rows = await self._kv.get_prefixed(tx, _SYNC)
        return {
            MxUserId(key.removeprefix(_SYNC)): msgspec.json.decode(text, type=SyncRecord) for key, text in rows
        }

    async def put(self, tx: Tx, user: MxUserId, record: SyncRecord) -> None:
        """Remember how far it has come."""
        await self._kv.put(tx, f"{_SYNC}{user}", msgspec.json.encode(record).decode())

    async def drop(self, tx: Tx, user: MxUserId) -> None:
        """It is over."""
        await self._kv.drop(tx, f"{_SYNC}{user}")
