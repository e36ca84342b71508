"""Loads the client library before any test module can."""

from __future__ import annotations

from tests.simulator.preload import preload_library

preload_library()
