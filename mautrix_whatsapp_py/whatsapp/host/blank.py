"""Has the client library make its tables in a new file or a database, without connecting to anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from mautrix_whatsapp_py.whatsapp.host.library import make_tables
from mautrix_whatsapp_py.whatsapp.host.postgres import PostgresLine, PostgresTables
from mautrix_whatsapp_py.whatsapp.keeping import ENVIRONMENT, Keeping


def main() -> None:
    """The one argument is the file, if it is one."""
    os.umask(0o077)
    keeping = os.environ.get(ENVIRONMENT)
    if keeping is None:
        make_tables(Path(sys.argv[1]))
    else:
        line = PostgresLine(msgspec.json.decode(keeping, type=Keeping))
        make_tables(PostgresTables(line))
    # Threads of the library never return.
    os._exit(0)


if __name__ == "__main__":
    main()
