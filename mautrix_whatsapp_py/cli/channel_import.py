"""`channel import`: another program's configuration becomes ours."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from mautrix_whatsapp_py.cli.arguments import Subparsers, add_config_flag, config_path
from mautrix_whatsapp_py.config.channel_edit import replace_channel
from mautrix_whatsapp_py.config.document import read_text
from mautrix_whatsapp_py.config.example import example_text
from mautrix_whatsapp_py.config.files import create_file
from mautrix_whatsapp_py.config.load import decode, write_over
from mautrix_whatsapp_py.errors import CommandError, ConfigError, ExitCode, StartupError


def add_parser(commands: Subparsers) -> None:
    """Make the command known to the command line."""
    parser = commands.add_parser("import", help="take over a gateway's JSON5 or a personal bridge's TOML")
    add_config_flag(parser)
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", help="answer in JSON")


def run(args: argparse.Namespace) -> int:
    """Write `channel:` into the configuration, which is made when there is none; the exit code."""
    # Here and not above: who runs anything else need not wait for it.
    from mautrix_whatsapp_py.channel.checks import find_problems
    from mautrix_whatsapp_py.channel.importing import import_text

    source: Path = args.file
    try:
        found = import_text(source.read_text(encoding="utf-8"), is_toml=source.suffix.lower() == ".toml")
    except (OSError, UnicodeDecodeError):
        raise StartupError(f"{source} cannot be read", mend="name another file", code=ExitCode.USAGE) from None
    except CommandError as error:
        raise StartupError(error.text, mend="see docs/channel.md", code=ExitCode.USAGE) from None
    path = config_path(args)
    is_new = not path.exists()
    before = example_text() if is_new else read_text(path)
    after = replace_channel(before, found.keys)
    loaded = decode(after, path, os.environ, is_without_matrix=True)
    if problems := find_problems(loaded.config.channel):
        raise ConfigError(problems)
    try:
        if is_new:
            create_file(path, after)
        else:
            write_over(path, before=before, after=after)
    except OSError as error:
        raise StartupError(
            f"{path} cannot be written ({error.strerror})", mend="choose another with -c", code=ExitCode.USAGE
        ) from None
    _say(args, path, found.left, is_new=is_new)
    return ExitCode.OK


def _say(args: argparse.Namespace, path: Path, left: list[str], *, is_new: bool) -> None:
    if args.json:
        print(json.dumps({"written": str(path), "left": left}))
        return
    print(f"{path} has the channel's keys now" + ("." if is_new else f"; as it was it is {path}.bak."))
    for line in left:
        print(f"not carried over: {line}")
