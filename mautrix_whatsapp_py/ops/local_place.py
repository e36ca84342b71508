"""Where a local homeserver lives and whether it can."""

from __future__ import annotations

import importlib.util
import socket

HOST = "127.0.0.1"
SERVER_NAME = "localhost"
USER = "me"


def is_synapse_installed() -> bool:
    """Whether the extra `local` is there."""
    return importlib.util.find_spec("synapse") is not None


def is_port_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
