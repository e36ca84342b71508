"""Exit code 0 when the bridge in this container is ready."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from mautrix_whatsapp_py.config import Config, load
from mautrix_whatsapp_py.errors import ConfigError

TIMEOUT_SECONDS = 5.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  compared, not listened on


def ready_url(config: Config) -> str:
    """Where the bridge says whether it is ready."""
    host = EVERYWHERE.get(config.appservice.hostname, config.appservice.hostname)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.appservice.port}/_matrix/mau/ready"


def main() -> int:
    """Ask the bridge."""
    path = Path(os.environ.get("DATA_FOLDER", "/data")) / "config.yaml"
    try:
        with urllib.request.urlopen(ready_url(load(path, os.environ)), timeout=TIMEOUT_SECONDS):  # noqa: S310
            return 0
    except (OSError, ConfigError) as error:
        print(f"not ready: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
