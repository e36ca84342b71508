"""`doctor`: look at the installation and say what is wrong and how it is mended."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from mautrix_whatsapp_py.cli.arguments import (
    Subparsers,
    add_config_flag,
    config_path,
    is_set,
)
from mautrix_whatsapp_py.config import Config, read
from mautrix_whatsapp_py.errors import ConfigError, ExitCode
from mautrix_whatsapp_py.ops.findings import Finding, ill, is_ill, odd, to_json, to_text, well


def add_parser(subparsers: Subparsers) -> None:
    """Make `doctor` known to the command line."""
    parser = subparsers.add_parser("doctor", help="look at the installation and say what is wrong")
    add_config_flag(parser)
    parser.add_argument(
        "-r",
        "--registration",
        type=Path,
        metavar="PATH",
        default=argparse.SUPPRESS,
        help="the registration the homeserver has (default: registration.yaml beside the configuration)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Look and tell; the exit code."""
    findings = _look(args)
    print(to_json(findings) if is_set(args, "json") else to_text(findings))
    return ExitCode.UNWELL if is_ill(findings) else ExitCode.OK


def _look(args: argparse.Namespace) -> list[Finding]:
    path = config_path(args)
    try:
        loaded = read(path, os.environ)
    except ConfigError as error:
        return [ill("configuration", problem, "correct it in the file") for problem in error.problems]
    found = [well("configuration", f"{path} is valid")]
    if loaded.ignored:
        keys = ", ".join(loaded.ignored)
        found = [odd("configuration", f"these keys have no effect: {keys}", "remove them")]
    registration = getattr(args, "registration", path.with_name("registration.yaml"))
    return [*found, *asyncio.run(_diagnose(loaded.config, path, registration))]


async def _diagnose(config: Config, path: Path, registration: Path) -> list[Finding]:
    # Loads most libraries of the bridge; a wrong configuration is told without them.
    from mautrix_whatsapp_py.app.doctor import diagnose

    return await diagnose(config, config_path=path, registration_path=registration)
