"""What a machine lacks is said in one line with the command that mends it; what it has is not done again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
TOOLS = ("sh", "dirname", "cmp", "rm", "cp", "echo")


@pytest.fixture
def project() -> Iterator[Path]:
    """A checkout with nothing but what make-venv needs, which anybody may enter; `path/` is its PATH."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(ROOT / "tools", folder / "tools")
        for made in ("requirements", "path"):
            (folder / made).mkdir()
        (folder / "requirements" / "run.txt").write_text("nothing==1 \\\n    --hash=sha256:00\n")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (folder / "path" / tool).symlink_to(found)
        yield folder


def put_python(path: Path, *, version: str, body: str = "exit 0") -> None:
    """A Python of a version whose other calls run a shell line, each written down in `calls`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    calls = path.with_name(f"{path.name}.calls")
    path.write_text(
        f'#!/bin/sh\ncase "$2" in *version_info*) echo {version}; exit 0;; esac\necho "$*" >>{calls}\n{body}\n'
    )
    path.chmod(0o755)


def make_venv(
    project: Path, environment: Mapping[str, str] | None = None, *, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(project / "tools" / "make-venv"), "run"],
        env={"PATH": str(project / "path"), **(environment or {})},
        user=user,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def the_line(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr


def test_no_python_at_all(project: Path) -> None:
    assert "apt install python3 python3-venv" in the_line(make_venv(project))


def test_a_python_that_is_too_old(project: Path) -> None:
    put_python(project / "path" / "python3", version="3.9")
    line = the_line(make_venv(project))
    assert "3.9" in line
    assert "PYTHON=/path/to/python" in line


def test_another_python_is_found_beside_one_that_is_too_new(project: Path) -> None:
    put_python(project / "path" / "python3", version="3.14")
    put_python(project / "path" / "python3.12", version="3.12", body="exit 1")
    assert "apt install python3.12-venv" in the_line(make_venv(project))


def test_a_python_that_was_named_and_does_not_fit(project: Path) -> None:
    put_python(project / "path" / "python3", version="3.12")
    put_python(project / "path" / "old", version="3.8")
    line = the_line(make_venv(project, {"PYTHON": "old"}))
    assert "PYTHON=old" in line
    assert "3.8" in line


def test_no_venv_module(project: Path) -> None:
    put_python(project / "path" / "python3", version="3.11", body="exit 1")
    assert "apt install python3.11-venv" in the_line(make_venv(project))


def test_a_folder_that_cannot_be_written(project: Path) -> None:
    put_python(project / "path" / "python3", version="3.11")
    project.chmod(0o555)
    line = the_line(make_venv(project, user=NOBODY if os.geteuid() == 0 else None))
    project.chmod(0o755)
    assert f"{project} cannot be written to" in line
    assert "chown" in line


def test_a_folder_that_is_no_environment_is_not_removed(project: Path) -> None:
    put_python(project / "path" / "python3", version="3.11")
    (project / "mine").mkdir()
    (project / "mine" / "letter").touch()
    assert "not a virtual environment" in the_line(make_venv(project, {"VENV": "mine"}))
    assert (project / "mine" / "letter").exists()


def test_a_missing_lock_file(project: Path) -> None:
    put_python(project / "path" / "python3", version="3.11")
    (project / "requirements" / "run.txt").unlink()
    assert "make lock" in the_line(make_venv(project))


def test_an_installation_that_fails_is_tried_again_next_time(project: Path) -> None:
    put_python(project / ".venv" / "bin" / "python", version="3.11", body="exit 1")
    for _ in range(2):
        assert "the same command carries on" in the_line(make_venv(project))
    calls = (project / ".venv" / "bin" / "python.calls").read_text()
    assert calls.count("--require-hashes -r requirements/run.txt") == 2


def test_nothing_is_done_twice_and_a_changed_lock_is_installed(project: Path) -> None:
    packages = project / "packages"
    packages.mkdir()
    put_python(project / ".venv" / "bin" / "python", version="3.11", body=f"echo {packages}")
    calls = project / ".venv" / "bin" / "python.calls"
    assert make_venv(project).returncode == 0
    assert (packages / "mautrix_whatsapp_py.pth").read_text() == f"{project}\n"
    installed = calls.read_text()
    assert make_venv(project).stdout == ""
    assert calls.read_text() == installed
    with (project / "requirements" / "run.txt").open("a") as lock:
        lock.write("more==1 \\\n    --hash=sha256:00\n")
    assert make_venv(project).returncode == 0
    assert calls.read_text().count("--require-hashes") == 2


def test_another_python_makes_another_environment(project: Path) -> None:
    put_python(project / ".venv" / "bin" / "python", version="3.11")
    put_python(project / "path" / "python3.13", version="3.13", body="exit 1")
    assert "python3.13-venv" in the_line(make_venv(project, {"PYTHON": "python3.13"}))


@pytest.mark.parametrize(("quiet", "loud"), [(0, 0), (1, 0), (0, 1), (3, 4)])
def test_two_targets_side_by_side(tmp_path: Path, quiet: int, loud: int) -> None:
    """What the quiet one says comes in one piece behind the other, and the failure of one is that of both."""
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$2"\n[ "$2" = loud ] && exit {loud}\nexit {quiet}\n')
    make.chmod(0o755)
    run = subprocess.run(
        [str(ROOT / "tools" / "both"), "quiet", "loud"],
        env={"PATH": "/usr/bin:/bin", "MAKE": str(make)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout.split() == ["loud", "quiet"]
    assert (run.returncode == 0) == (quiet == loud == 0)
