"""Keeps these tests out of runs that have not installed the client; see tests/extra/suites/js-sdk."""

from __future__ import annotations

import os

_IS_INSTALLED = "JS_SDK_MODULES" in os.environ

collect_ignore_glob = [] if _IS_INSTALLED else ["test_*.py"]

if _IS_INSTALLED:
    from tests.simulator.preload import preload_library

    preload_library()
