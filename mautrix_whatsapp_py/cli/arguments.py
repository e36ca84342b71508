"""The flags."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from mautrix_whatsapp_py.config import RunOptions
from mautrix_whatsapp_py.errors import ExitCode, StartupError

PROGRAM = "mautrix-whatsapp-py"
STANDARD_OUTPUT = Path("-")


Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001  argparse names it nowhere else
"""What a subcommand's `add_parser` is given."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves the exit code to us."""

    def error(self, message: str) -> NoReturn:
        raise StartupError(message, mend=f"see {self.prog} --help", code=ExitCode.USAGE)


def add_config_flag(parser: argparse.ArgumentParser) -> None:
    """-c, the same for every subcommand."""
    _add(parser, "-c", "--config", type=Path, metavar="PATH", help="configuration file (default: config.yaml)")


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `run`, which are also understood without it."""
    add_config_flag(parser)
    _flag(parser, "-e", "--generate-example-config", "write an example configuration and quit; -c - prints it")
    _flag(parser, "-g", "--generate-registration", "write a registration with new tokens and quit")
    _add(
        parser,
        "-r",
        "--registration",
        type=Path,
        metavar="PATH",
        help="where -g writes the registration (default: registration.yaml)",
    )
    _add(
        parser,
        "--double-puppet-registration",
        type=Path,
        metavar="PATH",
        help="where -g writes a second registration, with which the bridge may act as its users themselves",
    )
    _flag(parser, "-n", "--no-update", "never write to the configuration file")
    _flag(parser, "-v", "--version", "print the version and quit")
    _flag(parser, "--version-json", "print the version and those of the libraries as JSON and quit")
    _flag(parser, "--ignore-unsupported-database", "run although the database is newer than this program")
    _flag(parser, "--ignore-foreign-tables", "run although the database holds another program's tables")
    _flag(parser, "--ignore-unsupported-server", "run although the Matrix server is too old or another kind")


def config_path(args: argparse.Namespace) -> Path:
    """The configuration file."""
    path: Path = getattr(args, "config", Path("config.yaml"))
    return path


def registration_path(args: argparse.Namespace) -> Path:
    """Where the registration goes."""
    path: Path = getattr(args, "registration", Path("registration.yaml"))
    return path


def doubles_path(args: argparse.Namespace) -> Path | None:
    """Where the registration of double puppets goes, if anywhere."""
    path: Path | None = getattr(args, "double_puppet_registration", None)
    return path


def is_set(args: argparse.Namespace, name: str) -> bool:
    """Whether a flag was given, before or behind the subcommand."""
    return bool(getattr(args, name, False))


def run_options(args: argparse.Namespace) -> RunOptions:
    """What the flags say about one start."""
    return RunOptions(
        ignore_unsupported_database=is_set(args, "ignore_unsupported_database"),
        ignore_foreign_tables=is_set(args, "ignore_foreign_tables"),
        ignore_unsupported_server=is_set(args, "ignore_unsupported_server"),
    )


def _flag(parser: argparse.ArgumentParser, *names_and_help: str) -> None:
    *names, text = names_and_help
    _add(parser, *names, action="store_true", help=text)


def _add(parser: argparse.ArgumentParser, *names: str, **how: Any) -> None:
    # No default: that of a subcommand's parser would undo what stood before the subcommand.
    parser.add_argument(*names, default=argparse.SUPPRESS, **how)
