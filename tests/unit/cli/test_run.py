"""Starting the bridge, and the flags that only print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.config import RunOptions
from tests.unit.cli.commands import ROOT, CommandLine, fake_app, python_path
from tests.unit.config.samples import SMALLEST


@pytest.mark.parametrize("words", [(), ("run",), ("-c", "config.yaml"), ("run", "-c", "config.yaml")])
def test_run_is_the_default(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    fake = fake_app(monkeypatch)
    assert command(*words).code == 0
    ((config, options),) = fake.started
    assert config.homeserver.domain == "localhost"
    assert options == RunOptions()


@pytest.mark.parametrize("order", [("-c", "other.yaml", "run"), ("run", "-c", "other.yaml")])
def test_flags_count_before_and_behind_the_command(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]
) -> None:
    (tmp_path / "other.yaml").write_text(SMALLEST)
    fake = fake_app(monkeypatch)
    assert command(*order).code == 0
    assert len(fake.started) == 1


@pytest.mark.parametrize(
    ("flag", "options"),
    [
        ("--ignore-unsupported-database", RunOptions(ignore_unsupported_database=True)),
        ("--ignore-foreign-tables", RunOptions(ignore_foreign_tables=True)),
        ("--ignore-unsupported-server", RunOptions(ignore_unsupported_server=True)),
    ],
)
def test_switched_off_check_reaches_the_bridge(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, options: RunOptions
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    fake = fake_app(monkeypatch)
    command(flag)
    assert fake.started[0][1] == options


def test_exit_code_of_the_bridge_is_passed_on(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    fake_app(monkeypatch, lambda config, options: 42)
    assert command().code == 42


def test_environment_reaches_the_bridge(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    monkeypatch.setenv("MAUTRIX_WHATSAPP_APPSERVICE__PORT", "1234")
    fake = fake_app(monkeypatch)
    command()
    assert fake.started[0][0].appservice.port == 1234
    assert "1234" not in (tmp_path / "config.yaml").read_text()


def test_start_completes_the_file_once(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALLEST)
    fake_app(monkeypatch)
    assert command().errors == ["config.yaml has new keys now; the file as it was is config.yaml.bak"]
    assert (tmp_path / "config.yaml.bak").read_text() == SMALLEST
    text, inode = path.read_text(), path.stat().st_ino
    assert "# How often a request" in text
    assert command().errors == []
    assert (path.read_text(), path.stat().st_ino) == (text, inode)


def test_no_update_writes_nothing(command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    fake = fake_app(monkeypatch)
    assert command("-n").code == 0
    assert len(fake.started) == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("config.yaml", SMALLEST)]


def test_keys_without_effect_are_one_warning(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SMALLEST + "analytics:\n    token: t\nmatrix:\n    federate_rooms: false\n"
    (tmp_path / "config.yaml").write_text(text)
    fake_app(monkeypatch)
    assert command("-n").errors == ["warning: these keys have no effect: analytics.token, matrix.federate_rooms"]


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_version_is_one_line(command: CommandLine, flag: str) -> None:
    assert command(flag).out == f"mautrix-whatsapp-py {__version__}\n"


def test_version_as_json_names_the_libraries(command: CommandLine) -> None:
    about = json.loads(command("--version-json").out)
    assert (about["name"], about["version"]) == ("mautrix-whatsapp-py", __version__)
    assert about["libraries"]["mautrix"]


def test_help_names_every_flag(command: CommandLine) -> None:
    outcome = command("--help")
    assert outcome.code == 0
    flags = (
        "-c",
        "--config",
        "-e",
        "--generate-example-config",
        "-g",
        "--generate-registration",
        "-r",
        "--registration",
        "-n",
        "--no-update",
        "-v",
        "--version",
        "--version-json",
        "--ignore-unsupported-database",
        "--ignore-foreign-tables",
        "--ignore-unsupported-server",
    )
    assert not [flag for flag in flags if flag not in outcome.out]


def test_module_is_the_program() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mautrix_whatsapp_py", "--version"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, f"mautrix-whatsapp-py {__version__}\n")
