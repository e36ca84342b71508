"""Reads of the client library's tables from a host, by way of a process of their own; see peek.py."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from mautrix_whatsapp_py.whatsapp.folders import SessionFileError, TableValue

ANSWER_SECONDS = 15.0
_SCRIPT = Path(__file__).with_name("peek.py")


class TableReader:
    """Starts the reading process when it is needed; one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def query(self, database: Path, query: str, values: Sequence[TableValue] = ()) -> list[tuple[TableValue, ...]]:
        """Rows; SessionFileError when the file is not what it should be. Blocks: call it in a thread."""
        asked: dict[str, object] = {
            "path": str(database),
            "query": query,
            "values": [_encode(value) for value in values],
        }
        with self._lock:
            # The process leaves when it was idle for long, perhaps just now: the second one was not.
            said = self._ask(asked) or self._ask(asked)
        if said is None:
            raise SessionFileError("busy")
        found = json.loads(said)
        if "error" in found:
            raise SessionFileError(found["error"])
        return [tuple(_decode(value) for value in row) for row in found["rows"]]

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, asked: dict[str, object]) -> str | None:
        process = self._process
        if process is None or process.poll() is not None:
            self._end()
            process = self._process = _start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], ANSWER_SECONDS)[0]:
                self._end()
                return None
            return process.stdout.readline() or None
        except OSError:
            return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def _start() -> subprocess.Popen[str]:
    # Isolated and without site-packages: it starts in a few hundredths of a second.
    command = [sys.executable, "-I", "-S", str(_SCRIPT)]
    return subprocess.Popen(  # noqa: S603 our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _encode(value: TableValue) -> object:
    return {"b": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _decode(value: object) -> TableValue:
    if isinstance(value, dict):
        return base64.b64decode(value["b"])
    assert value is None or isinstance(value, str | int | float)
    return value
