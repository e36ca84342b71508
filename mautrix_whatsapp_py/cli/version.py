"""The version, for people and for scripts."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.cli.arguments import PROGRAM

LIBRARIES = ("mautrix", "neonize", "aiohttp", "SQLAlchemy")


def version_text() -> str:
    """One line."""
    return f"{PROGRAM} {__version__}"


def version_json() -> str:
    """One JSON object."""
    libraries = {name: _version_of(name) for name in LIBRARIES}
    about = {"name": PROGRAM, "version": __version__, "python": platform.python_version(), "libraries": libraries}
    return json.dumps(about)


def _version_of(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
