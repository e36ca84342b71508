"""`db`: backups of everything a bridge has, and its move to another database or machine."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py.cli.arguments import PROGRAM, Subparsers, add_config_flag, config_path
from mautrix_whatsapp_py.config import read
from mautrix_whatsapp_py.config.files import create_file
from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.store.url import decode_database_url


def add_parser(subparsers: Subparsers) -> None:
    """Make `db` and its commands known to the command line."""
    parser = subparsers.add_parser("db", help="back up, restore and move everything the bridge has")
    commands = parser.add_subparsers(dest="db_command", metavar="COMMAND", required=True)
    backup = commands.add_parser("backup", help="write a backup into a new folder; the bridge may run")
    add_config_flag(backup)
    backup.add_argument("folder", type=Path, nargs="?", help="the new folder (default: one named after the time)")
    restore = commands.add_parser("restore", help="put a backup in place, where no bridge is yet")
    add_config_flag(restore)
    restore.add_argument("folder", type=Path, help="the backup")
    restore.add_argument(
        "--resend",
        action="store_true",
        help="send to WhatsApp what was on its way when the backup was made, though the bridge then went on",
    )
    copy = commands.add_parser("copy", help="copy the database into another, also of the other kind")
    add_config_flag(copy)
    copy.add_argument("--to", metavar="URI", required=True, help="the new database, which is empty")


def run(args: argparse.Namespace) -> int:
    """Carry out one of the commands; the exit code."""
    match args.db_command:
        case "backup":
            return _back_up(args)
        case "restore":
            return _restore(args)
        case _:
            return _copy(args)


def _say(step: str) -> None:
    print(f"{step} …", flush=True)


def _back_up(args: argparse.Namespace) -> int:
    # Loads much of the bridge; `--help` need not wait for that.
    from mautrix_whatsapp_py.app.backups import places_of, run_backup

    path = config_path(args)
    places = places_of(read(path, os.environ).config, path)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder: Path = args.folder or Path(f"{PROGRAM}-{stamp}")
    manifest = run_backup(places, folder.absolute(), _say)
    print(f"{folder} holds everything of {manifest.made_at}, with the links of {manifest.accounts} accounts.")
    print("Keep it as you would keep a password: whoever has it can read and write for these accounts.")
    return ExitCode.OK


def _restore(args: argparse.Namespace) -> int:
    from mautrix_whatsapp_py.app.backups import places_of, run_restore

    path, backup = config_path(args), args.folder.absolute()
    _place_config(backup, path)
    places = places_of(read(path, os.environ).config, path)
    restored = run_restore(backup, places, _say, resends=args.resend)
    print(
        f"Everything of {restored.manifest.made_at} is in place. Never start the bridge that it came from again."
    )
    if restored.held_back:
        print(
            f"{restored.held_back} Matrix events were on their way when the backup was made. "
            "The bridge ran on then, so they are not sent again; with --resend they would be."
        )
    return ExitCode.OK


def _place_config(backup: Path, path: Path) -> None:
    """Take the configuration of the backup where there is none yet."""
    for name in ("config.yaml", "registration.yaml", "doublepuppet.yaml"):
        source = backup / "config" / name
        target = path if name == "config.yaml" else path.with_name(name)
        if not source.exists() or target.exists():
            continue
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_file(target, source.read_text(encoding="utf-8"))
        except OSError as error:
            raise StartupError(
                f"{target} cannot be written ({error.strerror})",
                mend="choose another with -c",
                code=ExitCode.CONFIG_UNWRITABLE,
            ) from None


def _copy(args: argparse.Namespace) -> int:
    from mautrix_whatsapp_py.app.backups import places_of, run_copy

    path = config_path(args)
    config = read(path, os.environ).config
    try:
        target = decode_database_url(args.to)
    except ValueError as error:
        raise StartupError("--to is no address of a database", mend=str(error), code=ExitCode.USAGE) from None
    copied = run_copy(places_of(config, path), target, lambda _table: None)
    print(f"{sum(copied.rows.values())} rows are in {target}; the old database is as it was.")
    if copied.sessions:
        print(
            f"The sessions of {copied.sessions} accounts, which were in the database, are files now; workers that"
        )
        print("share a database take them in when they start.")
    print(f"Now write into {path}:")
    # It may hold a password, and screens are looked at.
    print(f"  database.uri: {'the address you gave' if '@' in args.to else args.to}")
    print(f"  whatsapp.session_folder: {config.session_folder}")
    return ExitCode.OK
