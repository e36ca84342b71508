"""`import-mautrix`: take over what mautrix-whatsapp has, links included."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mautrix_whatsapp_py.cli.arguments import PROGRAM, Subparsers, add_config_flag, config_path
from mautrix_whatsapp_py.config import Config, read
from mautrix_whatsapp_py.config.files import create_file
from mautrix_whatsapp_py.config.takeover import OldConfig, read_old, take_over_config
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress, decode_database_url

if TYPE_CHECKING:
    from mautrix_whatsapp_py.ops.takeover.report import Report

TARGET = "mautrix-whatsapp-py"
"""The folder that is made beside the old configuration."""
_BAR = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    config: Config
    config_path: Path
    left: tuple[str, ...]
    text: str = ""
    """Of a configuration that is still to be written."""


def add_parser(subparsers: Subparsers) -> None:
    """Make `import-mautrix` known to the command line."""
    parser = subparsers.add_parser(
        "import-mautrix",
        help="take over configuration, rooms and links of mautrix-whatsapp",
        description=(
            "Takes over configuration, users, links, rooms and messages of mautrix-whatsapp, of which nothing is "
            "changed. Stop it first and do not start it again: two programs with one link break it."
        ),
    )
    add_config_flag(parser)
    parser.add_argument("--database", metavar="URI", help="the old database, where the configuration does not say")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help=f"where the new files go (default: {TARGET} beside the old)"
    )
    parser.add_argument(
        "--to", metavar="URI", help="the new database (default: the file whatsapp.db in that folder)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be taken over")


def run(args: argparse.Namespace) -> int:
    """Take everything over and tell what was and what was not; the exit code."""
    path = config_path(args)
    old = read_old(path)
    source = _source(old, path, args.database)
    target = _target(old, args.output or path.absolute().parent / TARGET, args.to)
    if not args.dry_run:
        _write(target)
    # Loads much of the bridge; whoever mistyped a path need not wait for that.
    from mautrix_whatsapp_py.app.takeover import run_takeover

    report = run_takeover(target.config, source, _show_progress, is_dry=args.dry_run)
    _tell(report, target, is_dry=args.dry_run)
    return ExitCode.OK


def _source(old: OldConfig, path: Path, given: str | None) -> DatabaseAddress:
    uri = given or old.database_uri
    if not uri:
        raise StartupError(
            f"{path} does not say where its database is", mend="name it with --database", code=ExitCode.USAGE
        )
    try:
        address = decode_database_url(uri) if ":" in uri else SqliteAddress(path=Path(uri))
    except ValueError as error:
        raise StartupError(
            "the address of the old database is wrong", mend=str(error), code=ExitCode.USAGE
        ) from None
    if isinstance(address, SqliteAddress) and not given:
        return SqliteAddress(path=path.absolute().parent / address.path)
    return address


def _target(old: OldConfig, folder: Path, uri: str | None) -> _Target:
    """What was taken over before stays, with whatever was changed in it since."""
    path = folder / "config.yaml"
    if path.exists():
        return _Target(config=read(path, os.environ).config, config_path=path, left=())
    taken = take_over_config(old, path, database_uri=uri or "sqlite:///whatsapp.db")
    return _Target(config=taken.config, config_path=path, left=taken.left, text=taken.text)


def _write(target: _Target) -> None:
    from mautrix_whatsapp_py.matrix.registration import build_registration, encode_registration

    folder, appservice = target.config_path.parent, target.config.appservice
    registration = build_registration(target.config, as_token=appservice.as_token, hs_token=appservice.hs_token)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.text:
            create_file(target.config_path, target.text)
        if not (folder / "registration.yaml").exists():
            create_file(folder / "registration.yaml", encode_registration(registration))
    except OSError as error:
        raise StartupError(
            f"{folder} cannot be written ({error.strerror})",
            mend="choose another with --output",
            code=ExitCode.CONFIG_UNWRITABLE,
        ) from None


def _show_progress(what: str, done: int, total: int) -> None:
    """One bar for each kind of thing, only where somebody watches."""
    if not sys.stderr.isatty() or total == 0:
        return
    filled = _BAR * done // total
    end = "\n" if done >= total else ""
    print(f"\r{what:<10} [{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}", end=end, file=sys.stderr)


def _tell(report: Report, target: _Target, *, is_dry: bool) -> None:
    print("would be taken over:" if is_dry else "taken over:")
    for line in report.lines:
        print(f"  {line.what}: {line.here} of {line.found}")
    left = [*target.left, *report.left]
    print("not taken over:" if left else "nothing was left behind")
    for reason in left:
        print(f"  {reason}")
    if is_dry:
        return
    folder = target.config_path.parent
    print(
        f"Now give your Matrix server {folder / 'registration.yaml'} in the place of the old registration, "
        f"restart it, and start the bridge with  {PROGRAM} -c {target.config_path}\n"
        "Do not start mautrix-whatsapp again: two programs with one link break it."
    )
