"""What is published holds all the program needs, and the source package makes the same wheel."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mautrix_whatsapp_py"
MOVED = {
    "mautrix_whatsapp_py/store/alembic/": ROOT / "alembic",
    "mautrix_whatsapp_py/config/example-config.yaml": ROOT / "example-config.yaml",
}


def build(source: Path, target: Path, *kinds: str) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(target), *(f"-t{kind}" for kind in kinds)]
    run = subprocess.run(words, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(ROOT, folder, "sdist", "wheel")
    return folder


def test_the_wheel_holds_every_file(built: Path) -> None:
    held = content(next(built.glob("*.whl")))
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in files:
        assert held[str(path.relative_to(ROOT))] == path.read_bytes(), path
    for name, source in MOVED.items():
        for path in [source] if source.is_file() else sorted(source.rglob("*.py")):
            inside = name if source.is_file() else f"{name}{path.relative_to(source)}"
            assert held[inside] == path.read_bytes(), path
    assert not [name for name in held if name.startswith(("tests/", "bench/"))]


def test_the_source_package_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    build(source, tmp_path / "again", "wheel")
    assert content(next((tmp_path / "again").glob("*.whl"))) == content(next(built.glob("*.whl")))
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "docs/operation.md", "docker/Dockerfile"):
        assert (source / name).read_bytes() == (ROOT / name).read_bytes()
