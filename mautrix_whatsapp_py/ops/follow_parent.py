"""Runs a module for as long as the parent lives: `python -m …follow_parent MODULE [ARG…]`."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    """Become the module; the end of stdin is the end of the parent, however it ended."""
    del sys.argv[0]
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _follow_parent() -> None:
    # Not sys.stdin: its lock, held here, would abort the interpreter at its end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
