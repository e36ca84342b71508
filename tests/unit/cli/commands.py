"""Runs the command line as a person would."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import pytest

from mautrix_whatsapp_py import app
from mautrix_whatsapp_py.cli import main
from mautrix_whatsapp_py.config import Config, RunOptions

ROOT = Path(__file__).resolve().parents[3]
PLAIN_USER = 65534

Start = Callable[[Config, RunOptions], int]


def python_path() -> str:
    """Where another interpreter finds the package, and whatever else this one finds by name."""
    given = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(ROOT), given] if given else [str(ROOT)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line in a folder of its own."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Outcome:
        code = main(words)
        captured = self.capsys.readouterr()
        return Outcome(code=code, out=captured.out, err=captured.err)


@dataclass(slots=True)
class FakeApp:
    """Stands for the running bridge."""

    started: list[tuple[Config, RunOptions]]
    answer: Start

    def run(self, config: Config, options: RunOptions) -> int:
        self.started.append((config, options))
        return self.answer(config, options)


def fake_app(monkeypatch: pytest.MonkeyPatch, answer: Start = lambda config, options: 0) -> FakeApp:
    """Put a bridge that only answers in the place of the real one."""
    fake = FakeApp([], answer)
    monkeypatch.setattr(app, "run", fake.run)
    return fake


@contextmanager
def plain_user() -> Iterator[None]:
    """Be a user whom the modes of files concern, also when the tests are run by root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(PLAIN_USER)
    os.seteuid(PLAIN_USER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        folder.chmod(0o777)
        rmtree(folder)
