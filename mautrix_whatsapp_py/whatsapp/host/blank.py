"""Has the client library make its tables in a new file, without connecting to anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mautrix_whatsapp_py.whatsapp.host.library import make_tables


def main() -> None:
    """The one argument is the file."""
    os.umask(0o077)
    make_tables(Path(sys.argv[1]))
    # Threads of the library never return.
    os._exit(0)


if __name__ == "__main__":
    main()
