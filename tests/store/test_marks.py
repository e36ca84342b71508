"""The place in the homeserver's stream, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

from mautrix_whatsapp_py.model.mx import MxMark
from mautrix_whatsapp_py.store.marks import Marks
from mautrix_whatsapp_py.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_the_newest_mark_is_kept(store: Store) -> None:
    marks = Marks(store)
    assert await marks.get() is None
    first = MxMark(token="s1_2", taken_at=NOON, is_due=False)
    await marks.put(first)
    assert await marks.get() == first
    second = MxMark(token="s9_2", taken_at=NOON, is_due=True)
    await marks.put(second)
    assert await Marks(store).get() == second
