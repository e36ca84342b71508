"""Writes the files a bridge begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.document import read_text
from mautrix_whatsapp_py.config.edit import CannotEdit, Value, add_missing_keys, replace_values
from mautrix_whatsapp_py.config.environment import overridden
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.config.files import StagedFile, create_file, replace_file, stage_file
from mautrix_whatsapp_py.config.load import decode, write_over
from mautrix_whatsapp_py.config.schema import KeyPath
from mautrix_whatsapp_py.errors import ConfigError, ExitCode, StartupError
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.registration import (
    build_registration,
    encode_doubles_registration,
    encode_registration,
    new_token,
)

TOKEN_PATHS: tuple[KeyPath, ...] = (("appservice", "as_token"), ("appservice", "hs_token"))
DOUBLES_FILE = "doublepuppet.yaml"
SECRETS_PATH: KeyPath = ("double_puppet", "secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPaths:
    """Where registrations go."""

    bridge: Path
    doubles: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """Those that are wanted."""
        return (self.bridge,) if self.doubles is None else (self.bridge, self.doubles)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSettings:
    """What a new configuration cannot take from the example."""

    homeserver_address: str
    homeserver_domain: str
    admin: MxUserId
    appservice_port: int = 29318


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFiles:
    """The files of a new data folder."""

    config: Path
    registration: Path


def write_example(path: Path) -> None:
    """Write the example configuration as a new private file."""
    _create(path, example_text())


def write_registration(config_path: Path, paths: RegistrationPaths, env: Mapping[str, str]) -> None:
    """Write registrations with new tokens, and the tokens into the configuration: all or nothing."""
    if config_path.resolve() in {path.resolve() for path in paths.all} or len(set(paths.all)) < len(paths.all):
        raise StartupError(
            f"{paths.all[-1]} is another of the files",
            mend="choose another file with --registration or --double-puppet-registration",
            code=ExitCode.USAGE,
        )
    if problems := [f"{name}: must not be set while tokens are made; unset it" for name in _token_variables(env)]:
        raise ConfigError(problems)
    before = read_text(config_path)
    config = decode(before, config_path, env, is_for_registration=True).config
    tokens = _new_tokens()
    doubles_token = new_token()
    secrets = _secrets(config, doubles_token) if paths.doubles is not None else {}
    try:
        after = replace_values(add_missing_keys(before, example_text()), {**tokens, **secrets})
    except CannotEdit as error:
        raise StartupError(
            f"{config_path} is written in a way that takes no new {error}",
            mend="write these keys on lines of their own",
            code=ExitCode.CONFIG_UNWRITABLE,
        ) from None
    staged = [_stage(paths.bridge, _registration_text(config, tokens), ExitCode.REGISTRATION_UNWRITABLE)]
    if paths.doubles is not None:
        text = encode_doubles_registration(config, as_token=doubles_token)
        staged.append(_stage(paths.doubles, text, ExitCode.REGISTRATION_UNWRITABLE))
    _commit(staged, paths, config_path, before=before, after=after)


def _commit(
    staged: Sequence[StagedFile], paths: RegistrationPaths, config_path: Path, *, before: str, after: str
) -> None:
    try:
        write_over(config_path, before=before, after=after)
    except OSError as error:
        _discard(staged)
        raise _unwritable(config_path, error, ExitCode.CONFIG_UNWRITABLE) from None
    for file, path in zip(staged, paths.all, strict=True):
        try:
            file.commit()
        except OSError as error:
            _discard(staged)
            replace_file(config_path, before)
            raise _unwritable(path, error, ExitCode.REGISTRATION_UNWRITABLE) from None


def _discard(staged: Sequence[StagedFile]) -> None:
    for file in staged:
        file.discard()


def _secrets(config: Config, doubles_token: str) -> dict[KeyPath, Value]:
    known = config.double_puppet.secrets
    return {SECRETS_PATH: {**known, config.homeserver.domain: f"as_token:{doubles_token}"}}


def write_first_files(data_folder: Path, settings: FirstSettings) -> FirstFiles:
    """Write a configuration and its registrations, with new tokens, into a folder that has no configuration."""
    try:
        data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(data_folder, error, ExitCode.DATA_FOLDER) from None
    files = FirstFiles(config=data_folder / "config.yaml", registration=data_folder / "registration.yaml")
    tokens, doubles_token = _new_tokens(), new_token()
    secrets = {SECRETS_PATH: {settings.homeserver_domain: f"as_token:{doubles_token}"}}
    text = replace_values(example_text(), {**_first_values(settings), **tokens, **secrets})
    config = decode(text, files.config, {}).config
    texts = {
        files.registration: _registration_text(config, tokens),
        data_folder / DOUBLES_FILE: encode_doubles_registration(config, as_token=doubles_token),
    }
    staged = [_stage(path, written, ExitCode.REGISTRATION_UNWRITABLE) for path, written in texts.items()]
    try:
        _create(files.config, text)
        for file in staged:
            file.commit()
    finally:
        _discard(staged)
    return files


def _registration_text(config: Config, tokens: Mapping[KeyPath, Value]) -> str:
    as_token, hs_token = (str(tokens[path]) for path in TOKEN_PATHS)
    return encode_registration(build_registration(config, as_token=as_token, hs_token=hs_token))


def _new_tokens() -> dict[KeyPath, Value]:
    return {path: new_token() for path in TOKEN_PATHS}


def _token_variables(env: Mapping[str, str]) -> list[str]:
    return [name for path in TOKEN_PATHS if (name := overridden(env, path)) is not None]


def _first_values(settings: FirstSettings) -> dict[KeyPath, Value]:
    permissions = {"*": "relay", settings.homeserver_domain: "user", settings.admin: "admin"}
    return {
        ("homeserver", "address"): settings.homeserver_address,
        ("homeserver", "domain"): settings.homeserver_domain,
        ("appservice", "address"): f"http://127.0.0.1:{settings.appservice_port}",
        ("appservice", "port"): settings.appservice_port,
        ("bridge", "permissions"): permissions,
    }


def _create(path: Path, text: str) -> None:
    try:
        create_file(path, text)
    except FileExistsError:
        raise StartupError(
            f"{path} exists already", mend="move it away or name another file with --config", code=ExitCode.USAGE
        ) from None
    except OSError as error:
        raise _unwritable(path, error, ExitCode.CONFIG_UNWRITABLE) from None


def _stage(path: Path, text: str, code: ExitCode) -> StagedFile:
    try:
        return stage_file(path, text)
    except OSError as error:
        raise _unwritable(path, error, code) from None


def _unwritable(path: Path, error: OSError, code: ExitCode) -> StartupError:
    mend = "let this user write to its folder or choose another path"
    return StartupError(f"{path} cannot be written ({error.strerror})", mend=mend, code=code)
