"""Session hosts, which outlive the bridge that started them on purpose."""

from __future__ import annotations

import os
import signal
import socket
import struct
from contextlib import closing, suppress
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")


def end_hosts(folder: Path) -> None:
    """Kill the hosts of a bridge that works in this folder."""
    for pid in host_pids(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def host_pids(folder: Path) -> list[int]:
    """The hosts of a bridge that works in this folder."""
    return [pid for path in sorted(folder.rglob("sock")) if (pid := _listener(path))]


def _listener(path: Path) -> int:
    """The process behind a socket, 0 when there is none."""
    # Test folders lie deeper than addresses of sockets may be long.
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.settimeout(2)
            probe.connect(f"/proc/self/fd/{parent}/{path.name}")
            answer = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            return int(_CREDENTIALS.unpack(answer)[0])
    except OSError:
        return 0
    finally:
        os.close(parent)
