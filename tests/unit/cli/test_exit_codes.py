"""Whatever goes wrong is one line that names the thing and the mend, and an exit code."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from mautrix_whatsapp_py.cli.exit_codes import MEANINGS
from mautrix_whatsapp_py.config import Config, RunOptions
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from tests.unit.cli.commands import CommandLine, fake_app, open_folder, plain_user
from tests.unit.config.samples import SMALLEST


def test_every_exit_code_is_explained_in_the_help(command: CommandLine) -> None:
    assert list(MEANINGS) == list(ExitCode)
    text = command("--help").out
    assert not [code for code, meaning in MEANINGS.items() if f"{code.value:>3}  {meaning}\n" not in text]


CONFIGS: dict[str, tuple[str | None, ExitCode, str]] = {
    "missing": (None, ExitCode.CONFIG_UNREADABLE, "config.yaml: does not exist; write one with"),
    "not YAML": ("a: [", ExitCode.CONFIG_UNREADABLE, "config.yaml: is not valid YAML in line 1"),
    "wrong type": (
        SMALLEST + "database:\n    max_open_conns: x\n",
        ExitCode.CONFIG_INVALID,
        "database.max_open_conns: must be a whole number",
    ),
    "missing value": (
        SMALLEST.replace("    domain: localhost\n", ""),
        ExitCode.CONFIG_INVALID,
        "homeserver.domain: is",
    ),
    "placeholder token": (
        SMALLEST.replace("as-secret", "This value is generated when generating the registration"),
        ExitCode.CONFIG_INVALID,
        "appservice.as_token: is not set; run",
    ),
    "token of the example": (
        SMALLEST.replace("hs-secret", "example-hs-token-generate-your-own"),
        ExitCode.CONFIG_INVALID,
        "appservice.hs_token: is not set; run",
    ),
    "unknown key": (
        SMALLEST + "loging:\n",
        ExitCode.CONFIG_INVALID,
        "loging: is not a key of this bridge; did you mean logging?",
    ),
}


@pytest.mark.parametrize(("text", "code", "line"), CONFIGS.values(), ids=CONFIGS.keys())
def test_bad_configuration_is_one_line(
    command: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    code: ExitCode,
    line: str,
) -> None:
    fake = fake_app(monkeypatch)
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    outcome = command()
    assert (outcome.code, outcome.out, fake.started) == (code, "", [])
    (error,) = outcome.errors
    assert error.startswith(f"error: {line}")
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if text is None else [text])


def test_several_problems_are_a_line_each(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(example_text())
    outcome = command()
    assert outcome.code == ExitCode.CONFIG_INVALID
    assert len(outcome.errors) == 5
    assert all(line.startswith("error: ") for line in outcome.errors)


def test_unreadable_file_is_one_line(command: CommandLine) -> None:
    with open_folder() as folder:
        path = folder / "config.yaml"
        path.write_text(SMALLEST)
        path.chmod(0o000)
        with plain_user():
            outcome = command("-c", str(path))
    assert outcome.code == ExitCode.CONFIG_UNREADABLE
    assert outcome.errors == [f"error: {path}: may not be read by this user; change its owner or mode"]


READ_ONLY: dict[str, tuple[tuple[str, ...], ExitCode, str]] = {
    "upgrade": ((), ExitCode.CONFIG_UNWRITABLE, "{folder}/config.yaml lacks new keys and cannot be rewritten"),
    "registration": (("-g",), ExitCode.REGISTRATION_UNWRITABLE, "{folder}/registration.yaml cannot be written"),
}


@pytest.mark.parametrize(("words", "code", "line"), READ_ONLY.values(), ids=READ_ONLY.keys())
def test_read_only_folder_is_one_line(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: ExitCode, line: str
) -> None:
    fake = fake_app(monkeypatch)
    with open_folder() as folder:
        path = folder / "config.yaml"
        path.write_text(SMALLEST)
        path.chmod(0o644)
        folder.chmod(0o555)
        with plain_user():
            outcome = command(*words, "-c", str(path), "-r", str(folder / "registration.yaml"))
            still = (fake.started, command("-n", "-c", str(path)).code)
        left = [(file.name, file.read_text()) for file in folder.iterdir()]
    assert outcome.code == code
    (error,) = outcome.errors
    assert error.startswith(f"error: {line.format(folder=folder)} (Permission denied): let this user write")
    assert left == [("config.yaml", SMALLEST)]
    assert still[1] == ExitCode.OK


def test_example_in_a_read_only_folder_is_one_line(command: CommandLine) -> None:
    with open_folder() as folder:
        folder.chmod(0o555)
        with plain_user():
            outcome = command("-e", "-c", str(folder / "config.yaml"))
        assert list(folder.iterdir()) == []
    assert outcome.code == ExitCode.CONFIG_UNWRITABLE
    assert len(outcome.errors) == 1


@pytest.mark.parametrize("words", [("--nope",), ("nope",), ("-c",), ("run", "--nope"), ("-v", "extra")])
def test_wrong_words_are_one_line(command: CommandLine, words: tuple[str, ...]) -> None:
    outcome = command(*words)
    assert outcome.code == ExitCode.USAGE
    (error,) = outcome.errors
    assert error.startswith("error: ")
    assert error.endswith("--help")


def _raise(error: BaseException) -> Callable[[Config, RunOptions], int]:
    def answer(config: Config, options: RunOptions) -> int:
        raise error

    return answer


@pytest.mark.parametrize("code", [code for code in ExitCode if code not in (ExitCode.OK, ExitCode.CRASHED)])
def test_known_failure_of_the_bridge_is_one_line(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    fake_app(monkeypatch, _raise(StartupError("the thing is\nbroken", mend="mend it", code=code)))
    outcome = command("-n")
    assert (outcome.code, outcome.errors) == (code, ["error: the thing is broken: mend it"])


def test_interrupt_is_no_failure(command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    fake_app(monkeypatch, _raise(KeyboardInterrupt()))
    outcome = command("-n")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_crash_goes_to_the_log_and_one_line_says_where(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    handler = logging.FileHandler(tmp_path / "bridge.log")
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    fake_app(monkeypatch, _raise(RuntimeError("secret 4917")))
    outcome = command("-n")
    handler.close()
    assert outcome.code == ExitCode.CRASHED
    assert outcome.errors == [f"error: an unexpected RuntimeError: see the log {tmp_path}/bridge.log"]
    assert "Traceback" in (tmp_path / "bridge.log").read_text()


def test_crash_before_there_is_a_log_goes_to_a_private_file(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fake_app(monkeypatch, _raise(RuntimeError("x")))
    outcome = command("-n")
    (crash,) = tmp_path.glob("mautrix-whatsapp-py-crash-*.log")
    assert outcome.code == ExitCode.CRASHED
    assert outcome.errors == [f"error: an unexpected RuntimeError: see {crash}"]
    assert "Traceback" in crash.read_text()
    assert crash.stat().st_mode & 0o777 == 0o600


def test_crash_with_a_log_on_the_screen_points_there(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
    fake_app(monkeypatch, _raise(RuntimeError("x")))
    assert command("-n").errors == ["error: an unexpected RuntimeError: see the log above"]
