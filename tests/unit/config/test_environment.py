"""The environment overrides the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.config import LogLevel, PermissionLevel
from mautrix_whatsapp_py.config.environment import name_of
from mautrix_whatsapp_py.config.schema import all_keys
from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.ids import MxUserId
from tests.unit.config.samples import SMALLEST, error_of, problems_of, read_text_as_config, with_line

P = "MAUTRIX_WHATSAPP_"


def test_values_of_every_kind_are_overridden(tmp_path: Path) -> None:
    env = {
        f"{P}HOMESERVER__ADDRESS": "https://other.test",
        f"{P}APPSERVICE__PORT": "1234",
        f"{P}APPSERVICE__AS_TOKEN": "0123",
        f"{P}APPSERVICE__BOT__DISPLAYNAME": "true",
        f"{P}APPSERVICE__EPHEMERAL_EVENTS": "false",
        f"{P}NETWORK__PROXY": "",
        f"{P}WHATSAPP__HOST_COMMAND": "[python, -m, host]",
        f"{P}BRIDGE__PERMISSIONS": '{"*": user}',
        f"{P}LOGGING__MIN_LEVEL": "debug",
    }
    config = read_text_as_config(tmp_path, with_line("network", "proxy: http://p"), env).config
    assert config.homeserver.address == "https://other.test"
    assert config.appservice.port == 1234
    assert config.appservice.as_token == "0123"
    assert config.appservice.bot.displayname == "true"
    assert not config.appservice.ephemeral_events
    assert config.network.proxy is None
    assert config.whatsapp.host_command == ("python", "-m", "host")
    assert config.bridge.permissions.get_permission(MxUserId("@x:y")).level is PermissionLevel.USER
    assert set(config.bridge.permissions.by_subject) == {"*"}
    assert config.logging.min_level is LogLevel.DEBUG


def test_section_is_laid_over_the_file_and_its_keys_over_it(tmp_path: Path) -> None:
    env = {f"{P}APPSERVICE": "{port: 1, hostname: h, bot: {username: b}}", f"{P}APPSERVICE__PORT": "2"}
    config = read_text_as_config(tmp_path, SMALLEST, env).config
    assert (config.appservice.port, config.appservice.hostname) == (2, "h")
    assert config.appservice.bot.username == "b"
    assert config.appservice.as_token == "as-secret"


def test_value_is_read_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("from-a-file\n")
    env = {f"{P}APPSERVICE__AS_TOKEN_FILE": str(secret)}
    assert read_text_as_config(tmp_path, SMALLEST, env).config.appservice.as_token == "from-a-file"


def test_list_is_read_from_a_file(tmp_path: Path) -> None:
    permissions = tmp_path / "permissions"
    permissions.write_text('"*": block\n"@a:b": admin\n')
    env = {f"{P}BRIDGE__PERMISSIONS_FILE": str(permissions)}
    config = read_text_as_config(tmp_path, SMALLEST, env).config
    assert set(config.bridge.permissions.by_subject) == {"*", "@a:b"}


def test_key_called_file_is_no_file_of_a_key(tmp_path: Path) -> None:
    config = read_text_as_config(tmp_path, SMALLEST, {f"{P}LOGGING__FILE": "/var/log/b.log"}).config
    assert config.logging.file == "/var/log/b.log"


def test_every_key_has_one_variable() -> None:
    names = [name_of(key.path) for key in all_keys()]
    files = [f"{name}_FILE" for name in names]
    assert len(set(names) | set(files)) == len(names) + len(files)


def test_unreadable_file_of_a_value_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    error = error_of(tmp_path, SMALLEST, {f"{P}APPSERVICE__AS_TOKEN_FILE": missing})
    assert error.problems == (f"{P}APPSERVICE__AS_TOKEN_FILE: names a file that cannot be read: {missing}",)
    assert error.code is ExitCode.CONFIG_UNREADABLE


def test_value_given_twice_is_refused(tmp_path: Path) -> None:
    env = {f"{P}APPSERVICE__AS_TOKEN": "a", f"{P}APPSERVICE__AS_TOKEN_FILE": "b"}
    assert problems_of(tmp_path, SMALLEST, env) == (
        f"{P}APPSERVICE__AS_TOKEN_FILE: is set, and so is {P}APPSERVICE__AS_TOKEN; keep one of them",
    )


def test_value_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    assert problems_of(tmp_path, SMALLEST, {f"{P}WHATSAPP__HOST_COMMAND": "[a"}) == (
        f"{P}WHATSAPP__HOST_COMMAND: is not valid YAML in line 1, column 3; correct its value",
    )


def test_wrong_value_is_named_by_its_key(tmp_path: Path) -> None:
    assert problems_of(tmp_path, SMALLEST, {f"{P}APPSERVICE__PORT": "high"}) == (
        "appservice.port: must be a whole number, not text",
    )


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("HOMESERVER__ADRESS", f"did you mean {P}HOMESERVER__ADDRESS?"),
        ("XXXX__YYYYYYYYYYYYYYYYYYYYYY", "remove it"),
    ],
)
def test_unknown_variable_fails_with_the_nearest(tmp_path: Path, name: str, mend: str) -> None:
    problems = problems_of(tmp_path, SMALLEST, {P + name: "x"})
    assert problems == (f"{P}{name}: is not a key of this bridge; {mend}",)


def test_variables_of_kubernetes_are_left_alone(tmp_path: Path) -> None:
    env = {f"{P}PORT": "tcp://10.0.0.1:29318", f"{P}SERVICE_HOST": "10.0.0.1", "MAUTRIX_TELEGRAM_X__Y": "1"}
    assert read_text_as_config(tmp_path, SMALLEST, env).config.appservice.port == 29318


def test_variable_of_the_reference_bridge_is_reported(tmp_path: Path) -> None:
    loaded = read_text_as_config(tmp_path, SMALLEST, {f"{P}MATRIX__FEDERATE_ROOMS": "false"})
    assert loaded.ignored == ("matrix.federate_rooms",)


def test_section_of_a_wrong_kind_in_the_file_is_reported_once(tmp_path: Path) -> None:
    text = SMALLEST + "logging: 5\n"
    assert problems_of(tmp_path, text, {f"{P}LOGGING__FORMAT": "json"}) == (
        "logging: must be a group of keys, not a number",
    )
