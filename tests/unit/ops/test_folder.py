from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ops.folder import FolderLock


def test_a_folder_belongs_to_one_bridge_at_a_time(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    with pytest.raises(StartupError, match="Another bridge is running") as caught:
        second.acquire()
    assert caught.value.code is ExitCode.DATA_FOLDER
    first.release()
    second.acquire()
    second.release()


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "a" / "b")
    lock.acquire()
    lock.release()
    lock.release()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match=str(tmp_path / "file")) as caught:
        FolderLock(tmp_path / "file" / "data").acquire()
    assert caught.value.code is ExitCode.DATA_FOLDER
    assert caught.value.mend
