"""Files are replaced whole, stay private and stay what they are."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mautrix_whatsapp_py.config.files import create_file, replace_file, stage_file


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_is_private(tmp_path: Path) -> None:
    create_file(tmp_path / "a", "x")
    replace_file(tmp_path / "b", "y")
    assert [(mode_of(path), path.read_text()) for path in sorted(tmp_path.iterdir())] == [
        (0o600, "x"),
        (0o600, "y"),
    ]


def test_file_is_not_created_twice(tmp_path: Path) -> None:
    create_file(tmp_path / "a", "x")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "a", "y")
    assert (tmp_path / "a").read_text() == "x"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_mode_is_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode)
    replace_file(path, "x")
    assert mode_of(path) == mode


def test_rights_are_those_of_the_model(tmp_path: Path) -> None:
    model, path = tmp_path / "model", tmp_path / "a"
    for file, mode in ((model, 0o600), (path, 0o644)):
        file.touch()
        file.chmod(mode)
    replace_file(path, "x", rights_of=model)
    assert mode_of(path) == 0o600


def test_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    replace_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        stage_file(tmp_path / "a", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    staged = stage_file(tmp_path / "a", "x")
    staged.discard()
    assert list(tmp_path.iterdir()) == []


def test_text_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(tmp_path / "a", "\ud800")
    with pytest.raises(UnicodeEncodeError):
        create_file(tmp_path / "b", "\ud800")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]
