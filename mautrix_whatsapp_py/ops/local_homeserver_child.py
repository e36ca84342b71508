"""Runs Synapse for as long as its parent lives; takes the arguments of `synapse.app.homeserver`."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    """Become Synapse; the end of stdin is the end of the parent, however it ended."""
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()
    runpy.run_module("synapse.app.homeserver", run_name="__main__", alter_sys=True)


def _follow_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
