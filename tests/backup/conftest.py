"""Databases of both kinds."""

from __future__ import annotations

from tests.simulator.preload import preload_library
from tests.store.conftest import empty, postgres, postgres_template, sqlite_template  # noqa: F401  fixtures

preload_library()
