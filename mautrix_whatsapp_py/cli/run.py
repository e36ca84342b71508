"""`run`, the default: start the bridge, or do the one thing a flag asks for."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mautrix_whatsapp_py.cli.arguments import (
    PROGRAM,
    STANDARD_OUTPUT,
    Subparsers,
    add_run_flags,
    config_path,
    doubles_path,
    is_set,
    registration_path,
    run_options,
)
from mautrix_whatsapp_py.cli.generate import (
    RegistrationPaths,
    write_example,
    write_registration,
    write_secret,
)
from mautrix_whatsapp_py.cli.version import version_json, version_text
from mautrix_whatsapp_py.config import Config, read, upgrade
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.errors import ExitCode, StartupError


def add_parser(subparsers: Subparsers) -> None:
    """Make `run` known to the command line."""
    add_run_flags(subparsers.add_parser("run", help="start the bridge (what happens without a command)"))


def run(args: argparse.Namespace) -> int:
    """Carry out what the flags say; the exit code."""
    if is_set(args, "version"):
        print(version_text())
    elif is_set(args, "version_json"):
        print(version_json())
    elif is_set(args, "generate_example_config"):
        _generate_example(config_path(args))
    elif is_set(args, "generate_registration"):
        _generate_registration(args)
    else:
        return _start(args)
    return ExitCode.OK


def _start(args: argparse.Namespace) -> int:
    config = _load(config_path(args), is_writable=not is_set(args, "no_update"))
    # The Matrix library counts with it where it happens to be installed: memory for what is shown to nobody.
    # None is how Python is told that a module cannot be had.
    sys.modules.setdefault("prometheus_client", None)  # type: ignore[arg-type]
    # Loads every library of the bridge; whoever only asks for a file or the version need not wait for that.
    from mautrix_whatsapp_py import app

    return app.run(config, run_options(args))


def _generate_example(path: Path) -> None:
    if path == STANDARD_OUTPUT:
        print(example_text(), end="")
        return
    write_example(path)
    print(f"{path} is written; fill in what is marked example.com, then run {PROGRAM} -g -c {path}")


def _generate_registration(args: argparse.Namespace) -> None:
    if is_set(args, "no_update"):
        raise StartupError(
            "--generate-registration writes to the configuration",
            mend="leave --no-update out",
            code=ExitCode.NO_UPDATE_WITH_GENERATE,
        )
    paths = RegistrationPaths(bridge=registration_path(args), doubles=doubles_path(args))
    write_registration(config_path(args), paths, os.environ)
    written = " and ".join(str(path) for path in paths.all)
    what, verb = ("them", "are") if paths.doubles else ("it", "is")
    print(f"{written} {verb} written; name {what} in your Matrix server's configuration and restart that server")


def _load(path: Path, *, is_writable: bool) -> Config:
    loaded = read(path, os.environ)
    if loaded.ignored:
        print(f"warning: these keys have no effect: {', '.join(loaded.ignored)}", file=sys.stderr)
    if is_writable and upgrade(path):
        print(f"{path} has new keys now; the file as it was is {path}.bak", file=sys.stderr)
    if is_writable and write_secret(path):
        loaded = read(path, os.environ)
    return loaded.config
