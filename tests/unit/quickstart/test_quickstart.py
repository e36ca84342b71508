"""What quickstart writes, decides and refuses before anything runs."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py import app
from mautrix_whatsapp_py.cli import local_stack, main, quickstart
from mautrix_whatsapp_py.config import Config, RunOptions, load
from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.ops.local_place import is_port_free
from tests.homeserver import PortPool


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been started."""
    starts: list[str] = []

    def run_both(config: Config, data: Path, homeserver_port: int, *, regenerate: str, also: object = ()) -> int:
        starts.append(f"both on {homeserver_port} and {config.appservice.port}")
        return ExitCode.OK

    def run(config: Config, options: RunOptions) -> int:
        starts.append(f"bridge for {config.homeserver.address}")
        return ExitCode.OK

    monkeypatch.setattr(local_stack, "run_both", run_both)
    monkeypatch.setattr(app, "run", run)
    return starts


@pytest.fixture(autouse=True)
def usual_ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Nobody else's ports stand in for the usual ones."""
    pool = PortPool()
    ports = pool.reserve(), pool.reserve()
    monkeypatch.setattr(quickstart, "HOMESERVER_PORT", ports[0])
    monkeypatch.setattr(quickstart, "BRIDGE_PORT", ports[1])
    yield ports
    pool.release()


def test_the_first_start_writes_private_files_that_belong_together(
    tmp_path: Path, started: list[str], usual_ports: tuple[int, int]
) -> None:
    data = tmp_path / "some" / "data"
    assert main(["quickstart", "--data", str(data)]) == ExitCode.OK
    config = load(data / "config.yaml", {})
    assert config.homeserver.address == f"http://127.0.0.1:{usual_ports[0]}"
    assert config.appservice.port == usual_ports[1]
    assert str(data) in config.database.uri
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for name in ("config.yaml", "registration.yaml"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    assert config.appservice.as_token in (data / "registration.yaml").read_text()
    assert started == [f"both on {usual_ports[0]} and {usual_ports[1]}"]


def test_the_second_start_changes_nothing(tmp_path: Path, started: list[str]) -> None:
    command = ["quickstart", "--data", str(tmp_path)]
    assert main(command) == ExitCode.OK
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert main(command) == ExitCode.OK
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert len(started) == 2
    assert started[0] == started[1]


def test_usual_ports_that_are_taken_are_not_used(
    tmp_path: Path, started: list[str], usual_ports: tuple[int, int]
) -> None:
    with socket.create_server(("127.0.0.1", usual_ports[0])), socket.create_server(("127.0.0.1", usual_ports[1])):
        assert main(["quickstart", "--data", str(tmp_path)]) == ExitCode.OK
    config = load(tmp_path / "config.yaml", {})
    assert config.appservice.port not in usual_ports
    assert f":{usual_ports[0]}" not in config.homeserver.address
    assert str(config.appservice.port) in (tmp_path / "registration.yaml").read_text()


def test_with_a_homeserver_configured_only_the_bridge_starts(tmp_path: Path, started: list[str]) -> None:
    command = ["quickstart", "--data", str(tmp_path)]
    main(command)
    path = tmp_path / "config.yaml"
    config = load(path, {})
    text = path.read_text().replace(config.homeserver.address, "https://matrix.example.org")
    path.write_text(text.replace("domain: localhost", "domain: example.org"))
    assert main(command) == ExitCode.OK
    assert started[1:] == ["bridge for https://matrix.example.org"]


def test_without_synapse_one_line_names_the_command(
    tmp_path: Path, started: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quickstart, "is_synapse_installed", lambda: False)
    assert main(["quickstart", "--data", str(tmp_path / "data")]) == ExitCode.HOMESERVER_UNREACHABLE
    error = capsys.readouterr().err
    assert "pip install 'mautrix-whatsapp-py[local]'" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "data").exists()
    assert started == []


def test_a_data_folder_that_cannot_be_made_is_named(
    tmp_path: Path, started: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["quickstart", "--data", str(tmp_path / "file" / "data")]) == ExitCode.DATA_FOLDER
    error = capsys.readouterr().err
    assert f"{tmp_path / 'file' / 'data'} cannot be written" in error
    assert error.count("\n") == 1
    assert started == []


def test_a_missing_registration_is_named_with_the_command_that_writes_it(
    tmp_path: Path, started: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["quickstart", "--data", str(tmp_path)]
    main(command)
    (tmp_path / "registration.yaml").unlink()
    capsys.readouterr()
    assert main(command) == ExitCode.DATA_FOLDER
    mend = capsys.readouterr().err.split("mautrix-whatsapp-py ", 1)[1].split()
    assert main(mend) == ExitCode.OK
    assert main(command) == ExitCode.OK
    assert len(started) == 2


def test_a_taken_port_of_the_bridge_is_named_with_its_mend(
    tmp_path: Path,
    started: list[str],
    usual_ports: tuple[int, int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main(["quickstart", "--data", str(tmp_path)])
    monkeypatch.undo()
    capsys.readouterr()
    with socket.create_server(("127.0.0.1", usual_ports[1])):
        assert main(["quickstart", "--data", str(tmp_path)]) == ExitCode.LISTENER
    error = capsys.readouterr().err
    assert f"port {usual_ports[1]}" in error
    assert f"{tmp_path / 'config.yaml'}" in error
    assert error.count("\n") == 1
    assert is_port_free(usual_ports[0])
