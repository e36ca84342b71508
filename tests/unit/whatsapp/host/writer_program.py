"""Appends numbered events to a journal until it is killed, telling of each one only after it was stored."""

from __future__ import annotations

import sys
from pathlib import Path

from mautrix_whatsapp_py.whatsapp.host.journal import LARGE_BYTES, Journal


def main() -> None:
    """Append for ever."""
    folder = Path(sys.argv[1])
    journal = Journal(folder / "journal.db", folder / "blobs")
    number = 0
    while True:
        body = str(number).encode()
        padding = b" " * (LARGE_BYTES + 1) if number % 50 == 49 else b""
        journal.append(17, body + padding)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main()
