"""The place in the homeserver's stream from which on to look for what was missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from mautrix_whatsapp_py.model.mx import MxMark
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store

KEY = "homeserver mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    token: str
    taken_at_ms: int
    is_due: bool


class Marks:
    """The port MxMarks on the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kv = KvRows()

    async def get(self) -> MxMark | None:
        """The one that was put last."""
        async with self._store.reading() as tx:
            text = await self._kv.get(tx, KEY)
        return None if text is None else decode_mark(text)

    async def put(self, mark: MxMark) -> None:
        """Take the place of the one before."""
        taken_at_ms = int(mark.taken_at.timestamp() * 1000)
        row = _Mark(token=mark.token, taken_at_ms=taken_at_ms, is_due=mark.is_due)
        text = msgspec.json.encode(row).decode()
        await self._store.write(lambda tx: self._kv.put(tx, KEY, text))


def decode_mark(text: str) -> MxMark:
    """A mark as it is stored."""
    mark = msgspec.json.decode(text, type=_Mark)
    taken_at = datetime.fromtimestamp(mark.taken_at_ms / 1000, UTC)
    return MxMark(token=mark.token, taken_at=taken_at, is_due=mark.is_due)
