"""From a file and the environment to the tree, and the file kept up to date."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mautrix_whatsapp_py.config.decode import decode_section
from mautrix_whatsapp_py.config.document import parse_document, read_text
from mautrix_whatsapp_py.config.edit import add_missing_keys
from mautrix_whatsapp_py.config.environment import apply_environment
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.config.files import replace_file
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.reference import translate_reference_forms
from mautrix_whatsapp_py.config.rules import check_rules
from mautrix_whatsapp_py.config.tree import SQLITE, Config
from mautrix_whatsapp_py.errors import ExitCode, StartupError


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A valid configuration, and the keys in it that have no effect."""

    config: Config
    ignored: tuple[str, ...]


def load(path: Path, env: Mapping[str, str]) -> Config:
    """The configuration; ConfigError names every problem it has."""
    return read(path, env).config


def read(
    path: Path, env: Mapping[str, str], *, is_for_registration: bool = False, is_without_matrix: bool = False
) -> Loaded:
    """The configuration with what is worth a warning; tokens may be missing while a registration is made."""
    text = read_text(path)
    return decode(text, path, env, is_for_registration=is_for_registration, is_without_matrix=is_without_matrix)


def decode(
    text: str,
    path: Path,
    env: Mapping[str, str],
    *,
    is_for_registration: bool = False,
    is_without_matrix: bool = False,
) -> Loaded:
    """The configuration in a text that is, or will be, at this path."""
    raw = parse_document(text, path)
    findings = Findings()
    apply_environment(raw, env, findings)
    translate_reference_forms(raw, findings)
    config = decode_section(Config, raw, (), findings)
    check_rules(config, findings, is_for_registration=is_for_registration, is_without_matrix=is_without_matrix)
    if not is_for_registration and findings.code is ExitCode.DOMAIN_UNSET:
        findings.code = ExitCode.CONFIG_INVALID
    findings.raise_problems()
    return Loaded(config=_with_whole_paths(config, path.absolute().parent), ignored=tuple(findings.ignored))


def upgrade(path: Path) -> bool:
    """Add the keys a configuration lacks, with their comments; whether the file was changed.

    The file as it was is kept beside it as `.bak`. StartupError when the folder takes no file.
    """
    before = read_text(path)
    after = add_missing_keys(before, example_text())
    if after == before:
        return False
    try:
        write_over(path, before=before, after=after)
    except OSError as error:
        raise StartupError(
            f"{path} lacks new keys and cannot be rewritten ({error.strerror})",
            mend="let this user write to its folder, or start with --no-update",
            code=ExitCode.CONFIG_UNWRITABLE,
        ) from None
    return True


def write_over(path: Path, *, before: str, after: str) -> None:
    """Replace a configuration and keep what it was."""
    replace_file(path.with_name(path.name + ".bak"), before, rights_of=path)
    replace_file(path, after)


def _with_whole_paths(config: Config, folder: Path) -> Config:
    """Relative paths count from the configuration's folder, wherever the bridge is started."""
    database, data_folder = config.database, folder
    if database.uri.startswith(SQLITE):
        name, mark, options = database.uri.removeprefix(SQLITE).partition("?")
        file = folder / name
        data_folder = file.parent
        database = dataclasses.replace(database, uri=f"{SQLITE}{file}{mark}{options}")
    whatsapp, logging = config.whatsapp, config.logging
    if whatsapp.session_folder:
        whatsapp = dataclasses.replace(whatsapp, session_folder=str(folder / whatsapp.session_folder))
    if logging.file:
        logging = dataclasses.replace(logging, file=str(folder / logging.file))
    return dataclasses.replace(
        config,
        homeserver=dataclasses.replace(config.homeserver, address=config.homeserver.address.rstrip("/")),
        appservice=dataclasses.replace(config.appservice, address=config.appservice.address.rstrip("/")),
        database=database,
        whatsapp=whatsapp,
        logging=logging,
        data_folder=data_folder,
    )
