"""The command that puts the launcher in front of a session host."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.simulator.server import Simulator


def host_command(
    running: Simulator, *command: str, keepalive: str = "", qr: str = "", is_led: bool = True
) -> list[str]:
    """The value for `whatsapp.host_command`: the launcher in front of a command or of the session host.

    Without being led, a session finds the proxy by the configuration alone.
    """
    launcher = str(Path(__file__).with_name("launcher.py"))
    extra = ["--keepalive", keepalive] if keepalive else []
    extra += ["--qr", qr] if qr else []
    extra += [] if is_led else ["--proxy", "none"]
    target = command or (sys.executable, "-m", "mautrix_whatsapp_py.whatsapp.host")
    return [sys.executable, "-P", launcher, *running.launcher_arguments(), *extra, "--", *target]
