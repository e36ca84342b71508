"""Loads the client library before any test module can."""

from __future__ import annotations

from tests.simulator.preload import preload_library
from tests.store.conftest import sqlite_template  # noqa: F401  a fixture of the store's tests

preload_library()
