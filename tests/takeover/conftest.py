"""Databases of both kinds, for the old bridge and for ours."""

from __future__ import annotations

from tests.simulator.preload import preload_library
from tests.store.conftest import empty, postgres, postgres_template, sqlite_template, store  # noqa: F401  fixtures

preload_library()
