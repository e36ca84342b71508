"""Leads a process that loads the client library to a simulator in another process.

    python -m tests.simulator.launcher --ca CA.pem --proxy URL --root HEX [OPTIONS] -- COMMAND…

COMMAND is what would have been run: `python -m module …`, `-m module …` or `script.py …`. The launcher
executes itself again with the certificate authority and the proxy in its environment, because the Go
runtime reads the environment of the exec only; then it replaces the pinned root key in memory and runs
the target as `__main__`.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_HOST: Final = "mautrix_whatsapp_py.whatsapp.host"
_MARKER: Final = "SIMULATOR_LAUNCHED_PID"


def main(arguments: Sequence[str]) -> None:
    """Run the target against the simulator."""
    options, target = _parse(arguments)
    _ensure_environment(options)
    root = str(Path(__file__).resolve().parents[2])
    # First, wherever else it is: a dependency of the client library installs a package `tests` of its own.
    sys.path.insert(0, root)
    if target[:2] == ["-m", _HOST]:
        # Session hosts load a part of the library only; with all of it they would seem much larger than they are.
        from mautrix_whatsapp_py.whatsapp.host.library import import_binding

        import_binding()
    from tests.simulator.patch import KeepAlive, QrTimings, loaded_library

    library = loaded_library()
    library.trust_root_key(bytes.fromhex(options.root))
    if options.keepalive:
        response, shortest, longest, silence = (float(part) for part in options.keepalive.split(","))
        timings = KeepAlive(
            response_seconds=response,
            interval_min_seconds=shortest,
            interval_max_seconds=longest,
            max_silence_seconds=silence,
        )
        library.set_keepalive(timings)
    if options.qr:
        first, following = (float(part) for part in options.qr.split(","))
        library.set_qr_timings(QrTimings(first_seconds=first, next_seconds=following))
    _run(target)


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    split = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.launcher")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--proxy", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--keepalive", default="", help="seconds: answer, shortest and longest gap, silence")
    parser.add_argument("--qr", default="", help="seconds: the first of six codes, each following code")
    options = parser.parse_args(arguments[:split])
    target = list(arguments[split + 1 :])
    if target and Path(target[0]).name.startswith("python"):
        target = target[1:]
    if not target:
        parser.error("no command after --")
    return options, target


def _ensure_environment(options: argparse.Namespace) -> None:
    # exec keeps the process id, so an inherited marker of a parent does not count
    if os.environ.get(_MARKER) == str(os.getpid()):
        return
    environment = {
        **os.environ,
        "SSL_CERT_FILE": options.ca,
        _MARKER: str(os.getpid()),
    }
    if options.proxy != "none":
        environment["HTTPS_PROXY"] = options.proxy
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def _run(target: list[str]) -> None:
    if target[0] == "-m":
        sys.argv = target[1:]
        runpy.run_module(target[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = target
        runpy.run_path(target[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
