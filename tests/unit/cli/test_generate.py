"""The files a bridge begins with: complete, private, both or none."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mautrix_whatsapp_py.cli.generate import FirstSettings, write_first_files
from mautrix_whatsapp_py.config import PermissionLevel, load
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.config.edit import replace_values
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.config.files import StagedFile
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ids import MxUserId
from tests.unit.cli.commands import CommandLine
from tests.unit.config.samples import SMALLEST

SETTINGS = FirstSettings(
    homeserver_address="http://127.0.0.1:8008",
    homeserver_domain="localhost",
    admin=MxUserId("@me:localhost"),
    appservice_port=29400,
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def with_domain(domain: str = "localhost") -> str:
    return replace_values(example_text(), {("homeserver", "domain"): domain})


def test_example_is_written_private(command: CommandLine, tmp_path: Path) -> None:
    assert command("-e").code == 0
    assert (tmp_path / "config.yaml").read_text() == example_text()
    assert mode_of(tmp_path / "config.yaml") == 0o600
    assert names(tmp_path) == ["config.yaml"]


def test_example_overwrites_nothing(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    outcome = command("-e")
    assert outcome.code == 1
    assert outcome.errors == ["error: config.yaml exists already: move it away or name another file with --config"]
    assert (tmp_path / "config.yaml").read_text() == "mine"


def test_example_is_printed(command: CommandLine, tmp_path: Path) -> None:
    outcome = command("-e", "-c", "-")
    assert (outcome.code, outcome.out) == (0, example_text())
    assert names(tmp_path) == []


def test_registration_and_configuration_get_the_same_new_tokens(command: CommandLine, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(with_domain())
    config.chmod(0o600)
    assert command("-g").code == 0
    registration = parse_yaml((tmp_path / "registration.yaml").read_text())
    section = parse_yaml(config.read_text())["appservice"]
    assert (registration["as_token"], registration["hs_token"]) == (section["as_token"], section["hs_token"])
    assert registration["as_token"] != registration["hs_token"]
    assert len(registration["as_token"]) == 64
    assert [mode_of(tmp_path / name) for name in ("config.yaml", "registration.yaml")] == [0o600, 0o600]
    changed = set(config.read_text().splitlines()) - set(with_domain().splitlines())
    assert {line.split(":")[0].strip() for line in changed} == {"as_token", "hs_token"}


def test_registration_can_go_elsewhere(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(SMALLEST)
    (tmp_path / "there").mkdir()
    assert command("-g", "-c", "c.yaml", "-r", "there/r.yaml").code == 0
    assert names(tmp_path / "there") == ["r.yaml"]


def test_generated_again_the_tokens_are_new(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    command("-g")
    first = load(tmp_path / "config.yaml", {}).appservice.as_token
    command("-g")
    assert load(tmp_path / "config.yaml", {}).appservice.as_token not in (first, "as-secret")


def test_configuration_that_lacks_the_keys_gets_them(command: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALLEST.replace("appservice:\n    as_token: as-secret\n    hs_token: hs-secret\n", ""))
    assert command("-g").code == 0
    assert len(load(path, {}).appservice.as_token) == 64


@pytest.mark.parametrize("domain", ["example.com", ""])
def test_domain_must_be_set(command: CommandLine, tmp_path: Path, domain: str) -> None:
    (tmp_path / "config.yaml").write_text(with_domain(domain))
    outcome = command("-g")
    assert outcome.code == 20
    assert len(outcome.errors) == 1
    assert names(tmp_path) == ["config.yaml"]


def test_no_update_is_refused(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    outcome = command("-g", "-n")
    assert outcome.code == 5
    assert len(outcome.errors) == 1
    assert names(tmp_path) == ["config.yaml"]


def test_registration_that_cannot_be_written_changes_nothing(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    outcome = command("-g", "-r", "nowhere/registration.yaml")
    assert outcome.code == 21
    assert (tmp_path / "config.yaml").read_text() == SMALLEST
    assert names(tmp_path) == ["config.yaml"]


def test_registration_that_is_a_folder_changes_nothing(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    (tmp_path / "registration.yaml").mkdir()
    assert command("-g").code == ExitCode.REGISTRATION_UNWRITABLE
    assert (tmp_path / "config.yaml").read_text() == SMALLEST
    assert names(tmp_path) == ["config.yaml", "registration.yaml"]


def test_configuration_that_cannot_be_written_changes_nothing(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    (tmp_path / "config.yaml.bak").mkdir()
    outcome = command("-g")
    assert outcome.code == 22
    assert (tmp_path / "config.yaml").read_text() == SMALLEST
    assert names(tmp_path) == ["config.yaml", "config.yaml.bak"]


def test_late_failure_takes_the_new_tokens_back(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    commit = StagedFile.commit

    def fail_for_registration(staged: StagedFile) -> None:
        if staged.target.name == "registration.yaml":
            raise OSError(16, "Device or resource busy")
        commit(staged)

    monkeypatch.setattr(StagedFile, "commit", fail_for_registration)
    outcome = command("-g")
    assert outcome.code == ExitCode.REGISTRATION_UNWRITABLE
    assert (tmp_path / "config.yaml").read_text() == SMALLEST
    assert names(tmp_path) == ["config.yaml", "config.yaml.bak"]


def test_configuration_that_takes_no_token_is_named(command: CommandLine, tmp_path: Path) -> None:
    text = SMALLEST.replace("as-secret", "&token as-secret").replace("hs-secret", "*token")
    (tmp_path / "config.yaml").write_text(text)
    outcome = command("-g")
    assert outcome.code == ExitCode.CONFIG_UNWRITABLE
    assert len(outcome.errors) == 1
    assert names(tmp_path) == ["config.yaml"]


def test_registration_is_not_written_over_the_configuration(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    assert command("-g", "-r", "./config.yaml").code == ExitCode.USAGE
    assert (tmp_path / "config.yaml").read_text() == SMALLEST


def test_a_second_registration_lets_the_bridge_act_as_users(command: CommandLine, tmp_path: Path) -> None:
    text = SMALLEST + 'double_puppet:\n    servers: {other.test: "https://other.test"}\n'
    text += '    secrets: {other.test: "as_token:other"}\n'
    (tmp_path / "config.yaml").write_text(text)
    assert command("-g", "--double-puppet-registration", "double.yaml").code == ExitCode.OK
    double = parse_yaml((tmp_path / "double.yaml").read_text())
    config = load(tmp_path / "config.yaml", {})
    assert config.double_puppet.secrets == {
        "other.test": "as_token:other",
        "localhost": f"as_token:{double['as_token']}",
    }
    assert (double["url"], double["id"]) == (None, "whatsapp-doublepuppet")
    assert double["namespaces"] == {"users": [{"regex": "@.*:localhost", "exclusive": False}]}
    assert double["as_token"] != parse_yaml((tmp_path / "registration.yaml").read_text())["as_token"]


def test_the_second_registration_needs_a_file_of_its_own(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    assert command("-g", "-r", "a.yaml", "--double-puppet-registration", "a.yaml").code == ExitCode.USAGE
    assert names(tmp_path) == ["config.yaml"]


def test_tokens_of_the_environment_are_in_the_way(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    monkeypatch.setenv("MAUTRIX_WHATSAPP_APPSERVICE__AS_TOKEN_FILE", "/run/token")
    outcome = command("-g")
    assert outcome.code == ExitCode.CONFIG_INVALID
    assert outcome.errors == [
        "error: MAUTRIX_WHATSAPP_APPSERVICE__AS_TOKEN_FILE: must not be set while tokens are made; unset it"
    ]


def test_first_files_start_a_bridge(tmp_path: Path) -> None:
    files = write_first_files(tmp_path / "data", SETTINGS)
    config = load(files.config, {})
    registration = parse_yaml(files.registration.read_text())
    assert config.homeserver.address == "http://127.0.0.1:8008"
    assert config.appservice.port == 29400
    assert registration["url"] == "http://127.0.0.1:29400"
    assert registration["as_token"] == config.appservice.as_token
    levels = [
        config.bridge.permissions.get_permission(MxUserId(user)).level
        for user in ("@me:localhost", "@you:localhost", "@they:elsewhere")
    ]
    assert levels == [PermissionLevel.ADMIN, PermissionLevel.USER, PermissionLevel.RELAY]
    doubles = parse_yaml((tmp_path / "data" / "doublepuppet.yaml").read_text())
    assert config.double_puppet.secrets == {"localhost": f"as_token:{doubles['as_token']}"}
    assert names(tmp_path / "data") == ["config.yaml", "doublepuppet.yaml", "registration.yaml"]
    assert [mode_of(path) for path in (tmp_path / "data", files.config, files.registration)] == [
        0o700,
        0o600,
        0o600,
    ]


def test_first_files_keep_the_comments(tmp_path: Path) -> None:
    files = write_first_files(tmp_path, SETTINGS)
    comments = [line for line in example_text().splitlines() if "#" in line]
    assert not [line for line in comments if line not in files.config.read_text()]


def test_first_files_overwrite_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    with pytest.raises(StartupError) as caught:
        write_first_files(tmp_path, SETTINGS)
    assert caught.value.code is ExitCode.USAGE
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("config.yaml", "mine")]


def test_first_files_name_the_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StartupError, match="data cannot be written") as caught:
        write_first_files(tmp_path / "data", SETTINGS)
    assert caught.value.code is ExitCode.DATA_FOLDER
