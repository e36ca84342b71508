"""Databases are copied whole, from each kind to the other, and folders while they are written to."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from mautrix_whatsapp_py.ops.session_copies import copy_session_folder
from mautrix_whatsapp_py.store.copying import NotEmpty, copy_database, settle_in_flight, snapshot_file
from mautrix_whatsapp_py.store.engine import create_writer
from mautrix_whatsapp_py.store.tables import inbox, kv, messages, metadata, outbox, persons, portals, users
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress
from mautrix_whatsapp_py.whatsapp.host.journal import Journal
from tests.store.conftest import migrated_copy

PERSON = {"name": "", "name_rank": 0, "shown_name": "", "avatar_id": "", "avatar_uri": ""}
PORTAL = {"receiver": "", "name": "", "disappearing_seconds": 0, "is_lid_addressed": True}


@pytest.fixture(params=["sqlite", "postgres"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    (tmp_path / "source").mkdir()
    with migrated_copy(request.param, request, tmp_path / "source") as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseAddress]:
    (tmp_path / "target").mkdir()
    with migrated_copy(request.param, request, tmp_path / "target") as address:
        yield address


async def fill(address: DatabaseAddress) -> None:
    """Rows of each kind of column, and numbers that were given and taken back."""
    engine = create_writer(address)
    async with engine.begin() as connection:
        await connection.execute(insert(users), [{"mxid": "@a:x"}, {"mxid": "@ü🎈:x", "management_room": "!m:x"}])
        people = [{**PERSON, "pn": str(number), "ghost": f"@g{number}:x"} for number in range(1200)]
        await connection.execute(insert(persons), people)
        await connection.execute(insert(portals), [{**PORTAL, "chat": "1@g.us", "room_id": "!r:x"}])
        event = {"room_id": "!r:x", "sender": "@a:x", "kind": "m", "received_at_ms": 5}
        await connection.execute(insert(inbox), [{**event, "event_id": f"$e{number}"} for number in range(5)])
        await connection.execute(inbox.delete().where(inbox.c.event_id == "$e4"))
        await connection.execute(insert(inbox), [{**event, "event_id": "$waiting", "body": "{}"}])
        await connection.execute(insert(kv), [{"key": "homeserver mark", "value": "{}"}])
        row = {"portal_id": 1, "login_id": "1", "event_id": "$waiting", "inbox_seq": 6, "created_at_ms": 1}
        await connection.execute(
            insert(outbox), [{**row, "send_id": "s", "secret": b"\x00\xff", "content": b"c", "state": "waiting"}]
        )
        part = {"portal_id": 1, "person_id": 1, "part": 0, "sender": "1@lid", "sent_at_ms": 2**40, "login_id": ""}
        flags = {"is_own": True, "is_placeholder": False}
        await connection.execute(insert(messages), [{**part, **flags, "message_id": "M", "event_id": "$m"}])
    await engine.dispose()


async def rows(address: DatabaseAddress) -> dict[str, list[tuple[object, ...]]]:
    engine = create_writer(address)
    async with engine.connect() as connection:
        found = {
            table.name: sorted(
                (
                    tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
                    for row in (await connection.execute(select(table))).all()
                ),
                key=repr,
            )
            for table in metadata.sorted_tables
        }
    await engine.dispose()
    return found


async def test_every_row_and_the_numbers_that_come_next(source: DatabaseAddress, target: DatabaseAddress) -> None:
    await fill(source)
    counts = await copy_database(source, target, lambda _table, _rows: None)
    assert counts["persons"] == 1200
    assert await rows(target) == await rows(source)
    engine = create_writer(target)
    async with engine.begin() as connection:
        event = {"event_id": "$next", "room_id": "!r:x", "sender": "@a:x", "kind": "m", "received_at_ms": 5}
        seq = (await connection.execute(insert(inbox).returning(inbox.c.seq), event)).scalar_one()
    await engine.dispose()
    # A number that was given once is not given again, also where its row is gone.
    assert seq == 7
    with pytest.raises(NotEmpty):
        await copy_database(source, target, lambda _table, _rows: None)


async def test_what_was_on_its_way_is_held_back(target: DatabaseAddress) -> None:
    await fill(target)
    assert await settle_in_flight(target) == 1
    found = await rows(target)
    assert found["outbox"] == []
    assert found["kv"] == []
    assert {row[5] for row in found["inbox"]} == {None}
    assert len(found["inbox"]) == 5


def test_a_snapshot_while_somebody_writes(tmp_path: Path) -> None:
    """Two rows of one transaction are both in the copy or neither."""
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE pair (id INTEGER, side TEXT)")
    stop = threading.Event()
    writer = threading.Thread(target=_write_pairs, args=(path, stop))
    writer.start()
    try:
        for number in range(5):
            copy = SqliteAddress(path=tmp_path / f"copy{number}.db")
            snapshot_file(path, copy.path)
            with closing(sqlite3.connect(copy.path)) as connection:
                odd = "SELECT count(*) FROM (SELECT id FROM pair GROUP BY id HAVING count(*) <> 2)"
                assert connection.execute(odd).fetchone() == (0,)
            assert copy.path.stat().st_mode & 0o777 == 0o600
    finally:
        stop.set()
        writer.join()


def _write_pairs(path: Path, stop: threading.Event) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        number = 0
        while not stop.is_set():
            number += 1
            with connection:
                connection.executemany("INSERT INTO pair VALUES (?, ?)", [(number, "a"), (number, "b")])


def test_a_session_folder_while_its_journal_is_written(tmp_path: Path) -> None:
    """Every event in the copy has its body, whether in the row or in a file of its own."""
    folder = tmp_path / "1555"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "session.db")) as connection:
        connection.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
    (folder / "paused").touch()
    (folder / "lock").touch()
    (folder / "history").mkdir()
    (folder / "history" / "chunk").write_bytes(b"past")
    journal = Journal(folder / "journal.db", folder / "blobs")
    for number in range(20):
        journal.append(number, b"small", as_file=number % 2 == 0)
    gone = next((folder / "blobs").iterdir())
    gone.unlink()
    copy = tmp_path / "copy"
    copy_session_folder(folder, copy)
    journal.close()
    found = {path.name for path in copy.iterdir()}
    assert found == {"blobs", "history", "journal.db", "paused", "session.db"}
    assert (copy / "history" / "chunk").read_bytes() == b"past"
    again = Journal(copy / "journal.db", copy / "blobs")
    events = again.get_after(0, 100)
    again.close()
    assert [row.read() for row in events] == [b"small"] * 19
