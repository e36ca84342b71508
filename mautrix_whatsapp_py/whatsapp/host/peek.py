"""A process that reads the client library's tables; run as a script, with nothing but the standard library.

Two copies of SQLite in one process drop each other's file locks, and the native library carries its own: a host
must never open a session's database itself while the library has it open, which it keeps until the host ends.
"""

from __future__ import annotations

import base64
import json
import select
import sqlite3
import sys
from contextlib import closing
from typing import Any

IDLE_SECONDS = 30.0


def answer(line: str) -> dict[str, Any]:
    """Rows of a query, or the name of what went wrong."""
    asked = json.loads(line)
    values = [base64.b64decode(item["b"]) if isinstance(item, dict) else item for item in asked["values"]]
    try:
        with closing(sqlite3.connect(f"file:{asked['path']}?mode=rw", uri=True, timeout=10)) as connection:
            rows = connection.execute(asked["query"], values).fetchall()
    except sqlite3.OperationalError as error:
        return {"error": "busy" if "locked" in str(error) else "foreign"}
    except sqlite3.DatabaseError:
        return {"error": "corrupt"}
    return {"rows": [[_encode(value) for value in row] for row in rows]}


def _encode(value: object) -> object:
    return {"b": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def main() -> None:
    """Answer line by line; end when nobody asks any more."""
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        sys.stdout.write(json.dumps(answer(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
