"""Session files that were not made by linking here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mautrix_whatsapp_py.whatsapp.process import host_environment

BLANK_MODULE = "mautrix_whatsapp_py.whatsapp.host.blank"
_TIMEOUT_SECONDS = 60


class NoTables(Exception):
    """The client library did not make its tables."""


def make_blank_session(path: Path) -> None:
    """A file with the client library's own tables, all empty; made by a process that loads the library."""
    try:
        subprocess.run(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", BLANK_MODULE, str(path)],
            env=host_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoTables from error
    if not path.exists():
        raise NoTables
