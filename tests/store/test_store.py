"""Transactions: what is committed stays, what is not is gone, and nothing wedges a connection."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.pool import QueuePool

from mautrix_whatsapp_py.errors import StoreError, StoreUnavailable
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tables import kv
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress

rows = KvRows()


async def read(store: Store, key: str) -> str | None:
    async with store.reading() as tx:
        return await rows.get(tx, key)


async def count(store: Store) -> int:
    async with store.reading() as tx:
        return int((await tx.execute(select(func.count()).select_from(kv))).scalar_one())


async def test_what_is_committed_is_there_for_the_next_process(migrated: DatabaseAddress) -> None:
    first = Store(migrated)
    async with first.transaction() as tx:
        await rows.put(tx, "key", "value")
    await first.close()
    second = Store(migrated)
    assert await read(second, "key") == "value"
    await second.close()


async def test_an_error_in_the_block_rolls_back_and_comes_out_unchanged(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await rows.put(tx, "key", "value")
            raise ZeroDivisionError
    assert await read(store, "key") is None


async def test_readers_see_the_last_commit_while_a_writer_works(store: Store) -> None:
    async with store.transaction() as tx:
        await rows.put(tx, "key", "old")
    async with store.transaction() as tx:
        await rows.put(tx, "key", "new")
        assert await asyncio.wait_for(read(store, "key"), 5) == "old"
    assert await read(store, "key") == "new"


async def test_concurrent_read_modify_writes_lose_none(store: Store) -> None:
    async with store.transaction() as tx:
        await rows.put(tx, "number", "0")

    async def increment() -> None:
        async with store.transaction() as tx:
            statement = select(kv.c.value).where(kv.c.key == "number").with_for_update()
            number = int((await tx.execute(statement)).scalar_one())
            await rows.put(tx, "number", str(number + 1))

    await asyncio.gather(*(increment() for _ in range(100)))
    assert await read(store, "number") == "100"


async def test_a_swallowed_failure_does_not_pass_as_a_commit(store: Store) -> None:
    with pytest.raises(StoreError):
        async with store.transaction() as tx:
            await rows.put(tx, "key", "value")
            with pytest.raises(StoreError):
                await tx.execute(text("SELECT * FROM no_such_table"))
    assert await read(store, "key") is None


async def test_a_wrong_statement_is_no_unavailability(store: Store) -> None:
    with pytest.raises(StoreError) as caught:
        async with store.transaction() as tx:
            await tx.execute(kv.insert(), {"key": "key", "value": None})
    assert not isinstance(caught.value, StoreUnavailable)


async def _slow_insert(tx: Tx, key: str) -> None:
    """Work long enough that a cancellation meets it under way."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
    await tx.execute(text(f"{numbers} SELECT count(*) FROM n"))
    await rows.put(tx, key, "value")


@pytest.mark.parametrize("steps", range(0, 40, 3))
async def test_cancellation_anywhere_wedges_nothing_and_costs_no_connection(store: Store, steps: int) -> None:
    engine = store._writers.engine.sync_engine
    opened: list[object] = []
    event.listen(engine, "connect", lambda connection, _record: opened.append(connection))
    reached = asyncio.Event()

    async def work(key: str) -> None:
        async with store.transaction() as tx:
            reached.set()
            await _slow_insert(tx, key)

    tasks = [asyncio.create_task(work(f"key {number}")) for number in range(12)]
    await reached.wait()
    for _ in range(steps):
        await asyncio.sleep(0)
    results = await _cancel_until_done(tasks)
    assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
    done = sum(result is None for result in results)
    # Whoever was cancelled during COMMIT may have committed.
    assert done <= await count(store) <= len(tasks)

    await asyncio.wait_for(asyncio.gather(*(work(f"after {number}") for number in range(12))), 30)
    async with store.reading() as tx:
        after = await tx.execute(select(func.count()).select_from(kv).where(kv.c.key.like("after %")))
        assert after.scalar_one() == 12
    assert isinstance(engine.pool, QueuePool)
    assert len(opened) <= engine.pool.size()


async def _cancel_until_done(tasks: list[asyncio.Task[None]]) -> list[BaseException | None]:
    """Cancel again at every step, so that rolling back and closing are interrupted too."""
    while any(not task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_cancellation_between_statements_rolls_back(store: Store) -> None:
    wrote, never = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with store.transaction() as tx:
            await rows.put(tx, "key", "value")
            wrote.set()
            await never.wait()

    for _ in range(25):
        wrote.clear()
        task = asyncio.create_task(work())
        await wrote.wait()
        assert isinstance((await _cancel_until_done([task]))[0], asyncio.CancelledError)
    assert await read(store, "key") is None
    async with store.transaction() as tx:
        await rows.put(tx, "key", "kept")
    assert await read(store, "key") == "kept"


async def test_a_task_cancelled_while_waiting_for_its_turn_leaves_the_turn_to_others(store: Store) -> None:
    async with store.transaction() as tx:
        waiting = [asyncio.create_task(_write(store, f"key {number}")) for number in range(30)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        await rows.put(tx, "first", "value")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [result is None for result in results[1::2]] == [True] * 15
    assert await count(store) >= 16


async def _write(store: Store, key: str) -> None:
    async with store.transaction() as tx:
        await rows.put(tx, key, "value")


async def test_deadlines_inside_a_transaction_leave_a_usable_store(store: Store) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), store.transaction() as tx:
            while True:
                await _slow_insert(tx, "key")
    assert await read(store, "key") is None
    await _write(store, "key")


async def test_check_answers(store: Store) -> None:
    await store.check()


async def test_a_server_that_is_away_is_unavailability() -> None:
    store = Store(PostgresAddress(dsn="postgresql://bridge@127.0.0.1:1/bridge", name="bridge"))
    with pytest.raises(StoreUnavailable):
        await store.check()
    await store.close()
