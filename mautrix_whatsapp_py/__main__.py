"""`python -m mautrix_whatsapp_py`."""

import sys

from mautrix_whatsapp_py.cli import main

if __name__ == "__main__":
    sys.exit(main())
