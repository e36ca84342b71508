"""Work that shares transactions: each is done or not done for itself, and is answered once it is durable."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event, select, text

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tables import kv
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress

rows = KvRows()


async def get(store: Store, key: str) -> str | None:
    return await store.read(lambda tx: rows.get(tx, key))


async def put(store: Store, key: str, *, is_patient: bool = False) -> None:
    await store.write(lambda tx: rows.put(tx, key, "value"), is_patient=is_patient)


async def test_what_is_written_is_read_after(store: Store) -> None:
    await put(store, "key")
    assert await get(store, "key") == "value"
    assert await get(store, "other") is None


async def test_what_is_answered_is_there_for_the_next_process(migrated: DatabaseAddress) -> None:
    first, second = Store(migrated), Store(migrated)
    await put(first, "key", is_patient=True)
    assert await get(second, "key") == "value"
    await first.close()
    await second.close()


async def test_one_that_fails_takes_nobody_along(store: Store) -> None:
    async def fail(tx: Tx) -> None:
        await rows.put(tx, "failed", "value")
        raise ZeroDivisionError

    async def swallow(tx: Tx) -> None:
        await rows.put(tx, "swallowed", "value")
        with pytest.raises(StoreError):
            await tx.execute(text("SELECT * FROM no_such_table"))

    writes = [put(store, f"key {number}") for number in range(5)]
    results = await asyncio.gather(*writes, store.write(fail), store.write(swallow), return_exceptions=True)
    assert results[:5] == [None] * 5
    assert [type(error) for error in results[5:]] == [ZeroDivisionError, StoreError]
    kept = [await get(store, key) for key in ("key 0", "key 4", "failed", "swallowed")]
    assert kept == ["value", "value", None, None]


async def test_both_ways_of_writing_take_turns(store: Store) -> None:
    async def increment(tx: Tx) -> None:
        statement = select(kv.c.value).where(kv.c.key == "number").with_for_update()
        number = int((await tx.execute(statement)).scalar_one())
        await rows.put(tx, "number", str(number + 1))

    async def increment_openly() -> None:
        async with store.transaction() as tx:
            await increment(tx)

    await store.write(lambda tx: rows.put(tx, "number", "0"))
    await asyncio.gather(*(store.write(increment) for _ in range(50)), *(increment_openly() for _ in range(50)))
    assert await get(store, "number") == "100"


async def test_somebody_cancelled_harms_nobody(store: Store) -> None:
    tasks = [asyncio.create_task(put(store, f"key {number}")) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[1::2] == [None] * 10
    await put(store, "after")
    assert await get(store, "after") == "value"


async def test_many_share_a_commit_and_the_patient_wait_for_company(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "bridge.db")
    store = Store(SqliteAddress(path=tmp_path / "bridge.db"))
    assert store._write_line is not None
    commits: list[object] = []
    event.listen(store._write_line._engine, "commit", commits.append)
    await asyncio.gather(*(put(store, f"key {number}") for number in range(50)))
    assert len(commits) <= 2
    commits.clear()
    patient = [asyncio.create_task(put(store, f"patient {number}", is_patient=True)) for number in range(5)]
    await asyncio.sleep(0)
    await put(store, "in a hurry")
    await asyncio.gather(*patient)
    assert len(commits) == 1
    alone = asyncio.create_task(put(store, "alone", is_patient=True))
    await asyncio.sleep(0)
    store.hurry()
    await alone
    await store.close()


async def test_a_table_that_is_gone_is_an_error_and_not_the_end(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "bridge.db")
    store = Store(SqliteAddress(path=tmp_path / "bridge.db"))
    with sqlite3.connect(tmp_path / "bridge.db", isolation_level=None) as other:
        other.execute("ALTER TABLE kv RENAME TO elsewhere")
        with pytest.raises(StoreError):
            await put(store, "key")
        other.execute("ALTER TABLE elsewhere RENAME TO kv")
    await put(store, "key")
    assert await get(store, "key") == "value"
    await store.close()
    other.close()
