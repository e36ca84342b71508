"""What a conversion cannot do, whatever a file makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, resource, socket, sys
from mautrix_whatsapp_py.media.jobs import Bounds
from mautrix_whatsapp_py.media.worker.confine import confine

confine(Bounds(seconds=5, memory_bytes=64 << 20, output_bytes=1 << 20))

def is_denied(attempt):
    try:
        attempt()
    except (PermissionError, MemoryError):
        return True
    except OSError as error:
        return error.errno == 27
    return False

def write_much():
    with open(sys.argv[1], "wb") as out:
        for _ in range(3):
            out.write(bytes(1 << 20))

import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
print(is_denied(lambda: socket.socket(socket.AF_INET)))
print(is_denied(lambda: socket.socket(socket.AF_UNIX)))
print(is_denied(lambda: os.execv("/bin/true", ["true"])))
print(is_denied(lambda: os.kill(os.getppid(), 0)))
print(is_denied(lambda: bytearray(512 << 20)))
print(is_denied(write_much))
print(is_denied(lambda: None))
"""


def test_no_network_no_programs_no_more_than_its_share(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert run.stdout.split() == ["True"] * 6 + ["False"]
