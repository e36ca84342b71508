"""The journal keeps what it was given, through kills and full disks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mautrix_whatsapp_py.whatsapp.host.journal import LARGE_BYTES, Journal, JournalFull, merge_journal

ROOT = Path(__file__).resolve().parents[4]


def make(folder: Path, **options: int) -> Journal:
    folder.mkdir(exist_ok=True)
    return Journal(folder / "journal.db", folder / "blobs", **options)


def bodies(journal: Journal) -> list[bytes]:
    return [row.read() for row in journal.get_after(0, 1000)]


def test_events_come_back_in_order_until_deleted(tmp_path: Path) -> None:
    journal = make(tmp_path)
    for body in (b"a", b"b", b"", b"d"):
        journal.append(18, body)
    rows = journal.get_after(0, 10)
    assert [row.read() for row in rows] == [b"a", b"b", b"", b"d"]
    assert [row.code for row in rows] == [18] * 4
    assert [row.read() for row in journal.get_after(rows[1].seq, 1)] == [b""]
    journal.delete([rows[0].seq, rows[2].seq])
    assert bodies(journal) == [b"b", b"d"]
    assert journal.depth == 2
    journal.delete([])
    journal.close()


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.append(1, b"a")
    (row,) = journal.get_after(0, 10)
    journal.delete([row.seq])
    journal.close()
    again = make(tmp_path)
    again.append(1, b"b")
    assert again.get_after(0, 10)[0].seq > row.seq
    again.close()
    for path in tmp_path.glob("journal.db*"):
        path.unlink()
    anew = make(tmp_path)
    anew.append(1, b"c")
    assert anew.get_after(0, 10)[0].seq >= row.seq
    anew.close()


def test_large_bodies_are_private_files_that_go_with_their_row(tmp_path: Path) -> None:
    journal = make(tmp_path)
    body = os.urandom(LARGE_BYTES + 1)
    journal.append(17, body)
    (row,) = journal.get_after(0, 1)
    assert row.file is not None
    assert row.read() == body
    assert row.file.stat().st_mode & 0o777 == 0o600
    journal.delete([row.seq])
    assert list((tmp_path / "blobs").iterdir()) == []
    journal.close()


def test_files_and_folder_are_private(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.append(1, b"a")
    assert (tmp_path / "blobs").stat().st_mode & 0o777 == 0o700
    for path in tmp_path.glob("journal.db*"):
        assert path.stat().st_mode & 0o777 == 0o600, path.name
    journal.close()


def fill(journal: Journal, size: int) -> int:
    for stored in range(1000):
        try:
            journal.append(17, b"x" * size)
        except JournalFull:
            return stored
    raise AssertionError("never full")


def test_a_full_disk_is_told_and_stores_nothing(tmp_path: Path) -> None:
    journal = make(tmp_path, page_limit=12)
    stored = fill(journal, 1000) + fill(journal, 1)
    assert journal.depth == stored > 0
    with pytest.raises(JournalFull):
        journal.append(17, b"y" * (LARGE_BYTES + 1))
    assert list((tmp_path / "blobs").iterdir()) == []
    seqs = [row.seq for row in journal.get_after(0, stored)]
    journal.delete(seqs)
    journal.append(17, b"room again")
    assert bodies(journal)[-1] == b"room again"
    journal.close()


def test_a_killed_writer_loses_nothing_it_had_stored(tmp_path: Path) -> None:
    for _ in range(3):
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.whatsapp.host.writer_program", str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert program.stdout is not None
        told = [int(program.stdout.readline()) for _ in range(120)]
        program.kill()
        told += [int(line) for line in program.stdout.read().split(b"\n")[:-1]]
        program.wait()
        program.stdout.close()
        journal = make(tmp_path)
        rows = journal.get_after(0, 1_000_000)
        found = [int(row.read()) for row in rows]
        journal.delete([row.seq for row in rows])
        journal.close()
        # One more may be stored than was told of: it was killed in between.
        assert found in (told, [*told, len(told)])


def test_sends_are_remembered(tmp_path: Path) -> None:
    journal = make(tmp_path)
    assert journal.get_send("a") is None
    journal.add_send("a", b"secret")
    journal.add_send("a", b"other")
    row = journal.get_send("a")
    assert row is not None
    assert (row.secret, row.message_id, row.outcome) == (b"secret", None, None)
    journal.set_sent("a", "ID", b"outcome")
    row = journal.get_send("a")
    assert row is not None
    assert (row.message_id, row.outcome) == ("ID", b"outcome")
    journal.delete_sends(["a", "b"])
    assert journal.get_send("a") is None
    journal.close()


def test_facts_are_remembered(tmp_path: Path) -> None:
    journal = make(tmp_path)
    assert journal.get_fact("x") == ""
    journal.set_fact("x", "1")
    journal.set_fact("x", "2")
    assert journal.get_fact("x") == "2"
    journal.set_fact("x", "")
    assert journal.get_fact("x") == ""
    journal.close()


def test_a_pairing_journal_joins_behind_what_waits(tmp_path: Path) -> None:
    old, new = make(tmp_path / "old"), make(tmp_path / "new")
    old.append(17, b"waits")
    new.append(17, b"newer")
    new.append(13, b"newest")
    for journal in (old, new):
        journal.close()
    merge_journal(tmp_path / "new" / "journal.db", tmp_path / "old" / "journal.db")
    merge_journal(tmp_path / "new" / "journal.db", tmp_path / "old" / "journal.db")
    old = make(tmp_path / "old")
    assert bodies(old) == [b"waits", b"newer", b"newest"]
    old.close()
