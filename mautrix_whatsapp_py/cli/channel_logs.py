"""`channel logs`: the end of the log, and what follows."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from mautrix_whatsapp_py.cli.arguments import Parser, config_path
from mautrix_whatsapp_py.cli.channel_run import read_config
from mautrix_whatsapp_py.errors import ExitCode, StartupError

LOOK_SECONDS = 0.3


def add_parser(parser: Parser) -> None:
    """What `logs` takes."""
    parser.add_argument("--follow", action="store_true", help="go on with what comes")
    parser.add_argument("--lines", type=int, default=100, metavar="N", help="how many of the last lines (100)")


def run(args: argparse.Namespace) -> int:
    """Print the log; the exit code."""
    config = read_config(config_path(args))
    if config.logging.file is None:
        raise StartupError(
            "the log goes to standard output, so it is kept by whoever started the program",
            mend="set logging.file, or look with journalctl or docker logs",
            code=ExitCode.USAGE,
        )
    path = Path(config.logging.file)
    if not path.is_file():
        raise StartupError(f"{path} is not there yet", mend="start the channel first", code=ExitCode.USAGE)
    try:
        for line in read_lines(path, last=max(0, args.lines), follows=args.follow):
            print(_shown(line) if args.json else line, flush=True)
    except KeyboardInterrupt:
        return ExitCode.OK
    return ExitCode.OK


def read_lines(path: Path, *, last: int, follows: bool) -> Iterator[str]:
    """The last lines of a file, then, when it is followed, every line that comes, also after it was replaced."""
    file = path.open(encoding="utf-8", errors="replace")
    try:
        yield from (line.rstrip("\n") for line in deque(file, maxlen=last))
        rest = ""
        while follows:
            rest += file.read()
            *whole, rest = rest.split("\n")
            yield from whole
            if not whole:
                time.sleep(LOOK_SECONDS)
                if _is_replaced(path, file.fileno(), file.tell()):
                    file.close()
                    file = path.open(encoding="utf-8", errors="replace")
    finally:
        file.close()


def _is_replaced(path: Path, descriptor: int, place: int) -> bool:
    """Whether the file of that name is another one now, or was cut."""
    try:
        there = path.stat()
    except OSError:
        return False
    return there.st_size < place or there.st_ino != os.fstat(descriptor).st_ino


def _shown(line: str) -> str:
    try:
        json.loads(line)
    except ValueError:
        return json.dumps({"line": line})
    return line
