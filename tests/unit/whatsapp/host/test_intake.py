"""A full disk or a bridge far behind holds the library back; nothing is dropped while there is hope."""

from __future__ import annotations

import threading
import zlib
from pathlib import Path

import pytest

from mautrix_whatsapp_py.whatsapp.host.intake import RUSH_EVENTS, RUSH_GAP_SECONDS, Intake
from mautrix_whatsapp_py.whatsapp.host.journal import Journal, JournalFull


class Disk:
    """A journal whose disk can be full."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal.db", folder / "blobs")
        self.is_full = False
        self.told: list[bool] = []
        self.was_told = threading.Event()
        self.stored = threading.Semaphore(0)
        self._append = self.journal.append

    def append(self, code: int, body: bytes, *, as_file: bool = False) -> None:
        if self.is_full:
            raise JournalFull
        self._append(code, body, as_file=as_file)

    def tell(self, is_full: bool) -> None:
        self.told.append(is_full)
        self.was_told.set()

    def intake(self, **options: float) -> Intake:
        return Intake(
            self.journal,
            on_stored=self.stored.release,
            on_disk=self.tell,
            retry_seconds=0.01,
            max_depth=int(options.get("max_depth", 100)),
        )


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(tmp_path)
    monkeypatch.setattr(made.journal, "append", made.append)
    return made


def in_background(function: object) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_a_full_disk_holds_and_then_stores(disk: Disk) -> None:
    intake = disk.intake()
    disk.is_full = True
    thread = in_background(lambda: intake.append(17, b"a"))
    assert disk.was_told.wait(10)
    assert intake.is_disk_full
    assert intake.is_holding
    disk.is_full = False
    thread.join(10)
    assert not thread.is_alive()
    assert disk.told == [True, False]
    assert [row.body for row in disk.journal.get_after(0, 9)] == [b"a"]
    assert intake.dropped == 0
    disk.journal.close()


def test_a_session_that_must_end_on_a_full_disk_ends(disk: Disk) -> None:
    intake = disk.intake()
    disk.is_full = True
    thread = in_background(lambda: intake.append(17, b"a"))
    assert disk.was_told.wait(10)
    intake.close()
    thread.join(10)
    assert not thread.is_alive()
    assert intake.dropped == 1
    disk.journal.close()


def test_depth_is_bounded_and_acknowledgements_make_room(disk: Disk) -> None:
    intake = disk.intake(max_depth=2)
    for _ in range(2):
        intake.append(17, b"a")
    assert intake.is_holding
    thread = in_background(lambda: intake.append(17, b"b"))
    for _ in range(2):
        assert disk.stored.acquire(timeout=10)
    assert disk.journal.depth == 2
    intake.acked(1)
    thread.join(10)
    assert disk.journal.depth == 3
    assert intake.depth == 2
    disk.journal.close()


def test_history_is_stored_without_its_wrapper(disk: Disk) -> None:
    intake = disk.intake()
    intake.append(13, b"\x0a\x03abc")
    (row,) = disk.journal.get_after(0, 9)
    assert row.file is not None
    assert zlib.decompress(row.read()) == b"abc"
    disk.journal.close()


def test_depth_starts_with_what_was_left(disk: Disk) -> None:
    disk.journal.append(17, b"a")
    assert disk.intake().depth == 1
    disk.journal.close()


def test_events_without_a_pause_between_them_are_a_rush(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("mautrix_whatsapp_py.whatsapp.host.intake.time.monotonic", lambda: now[0])
    intake = disk.intake()
    seen = []
    for _ in range(RUSH_EVENTS + 2):
        intake.append(17, b"x")
        seen.append(intake.is_rushed)
        now[0] += RUSH_GAP_SECONDS / 2
    assert seen == [*(False for _ in range(RUSH_EVENTS)), True, True]
    now[0] += RUSH_GAP_SECONDS
    assert not intake.is_rushed
    intake.append(17, b"x")
    assert not intake.is_rushed
    disk.journal.close()
