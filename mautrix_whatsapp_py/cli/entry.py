"""From the words of the command line to an exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence

from mautrix_whatsapp_py.cli import channel, cluster, db, doctor, import_mautrix, quickstart, run
from mautrix_whatsapp_py.cli.arguments import PROGRAM, Parser, add_run_flags
from mautrix_whatsapp_py.cli.exit_codes import exit_code_table
from mautrix_whatsapp_py.errors import ConfigError, ExitCode, StartupError

log = logging.getLogger(__name__)

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; its exit code."""
    try:
        args = _parser().parse_args(argv)
        return _command(args.command)(args)
    except SystemExit as end:  # --help
        return ExitCode.OK if end.code is None else int(end.code)
    except KeyboardInterrupt:
        return ExitCode.OK
    except StartupError as error:
        _print_error(error)
        return error.code
    except Exception as error:  # noqa: BLE001  the last frame: a person gets a line, not a traceback
        print(f"error: an unexpected {type(error).__name__}: {_log_crash(error)}", file=sys.stderr)
        return ExitCode.CRASHED


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="A Matrix-WhatsApp bridge.",
        epilog=exit_code_table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run_flags(parser)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    run.add_parser(subparsers)
    quickstart.add_parser(subparsers)
    doctor.add_parser(subparsers)
    channel.add_parser(subparsers)
    cluster.add_parser(subparsers)
    import_mautrix.add_parser(subparsers)
    db.add_parser(subparsers)
    parser.set_defaults(command="run")
    return parser


def _command(name: str) -> Command:
    commands: dict[str, Command] = {
        "run": run.run,
        "quickstart": quickstart.run,
        "doctor": doctor.run,
        "channel": channel.run,
        "cluster": cluster.run,
        "db": db.run,
        "import-mautrix": import_mautrix.run,
    }
    return commands[name]


def _print_error(error: StartupError) -> None:
    lines = error.problems if isinstance(error, ConfigError) else (str(error),)
    for line in lines:
        print(f"error: {' '.join(line.split())}", file=sys.stderr)


def _log_crash(error: Exception) -> str:
    """Write the traceback to the log, or to a file when nothing is logged yet; where it can be read."""
    root = logging.getLogger()
    if root.handlers:
        log.error("the bridge stopped unexpectedly", exc_info=error)
        files = [handler.baseFilename for handler in root.handlers if isinstance(handler, logging.FileHandler)]
        return f"see the log {files[0]}" if files else "see the log above"
    descriptor, name = tempfile.mkstemp(prefix=f"{PROGRAM}-crash-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    return f"see {name}"
