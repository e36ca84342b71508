"""TCP ports that stay ours while their server is down."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

# Below the range kernels take outgoing ports from, or a port may be gone while its server restarts.
FIRST_PORT = 20_000
LAST_PORT = 29_000


class PortPool:
    """Reserves ports with file locks, so that test processes side by side never pick the same one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"mautrix-whatsapp-py-ports-{os.getuid()}"
        self._folder.mkdir(exist_ok=True)
        self._locks: dict[int, int] = {}

    def reserve(self) -> int:
        """A port nobody listens on, ours until `release`."""
        start = random.randrange(FIRST_PORT, LAST_PORT)
        for offset in range(LAST_PORT - FIRST_PORT):
            port = FIRST_PORT + (start - FIRST_PORT + offset) % (LAST_PORT - FIRST_PORT)
            if self._lock(port):
                return port
        raise RuntimeError("every port for tests is taken")

    def release(self) -> None:
        """Give all ports back."""
        for descriptor in self._locks.values():
            os.close(descriptor)
        self._locks.clear()

    def _lock(self, port: int) -> bool:
        if port in self._locks:
            return False
        descriptor = os.open(self._folder / str(port), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not _is_free(port):
            os.close(descriptor)
            return False
        self._locks[port] = descriptor
        return True


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
