"""Runs a module for as long as the parent lives: `python -m …follow_parent [--held PACKAGE] MODULE [ARG…]`.

With `--held` the package is imported ahead, and the module runs when the parent says so.
"""

from __future__ import annotations

import importlib
import os
import runpy
import signal
import sys
import threading

HELD = "--held"


def main() -> None:
    """Become the module; the end of stdin is the end of the parent, however it ended."""
    del sys.argv[0]
    if sys.argv[0] == HELD:
        package = sys.argv[1]
        del sys.argv[:2]
        importlib.import_module(package)
        if not os.read(0, 1):
            return
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _follow_parent() -> None:
    # Not sys.stdin: its lock, held here, would abort the interpreter at its end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
