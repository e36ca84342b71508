"""Keeps these tests out of runs that have not installed the second client; see tests/extra/suites/baileys."""

from __future__ import annotations

import os

from tests.extra.baileys.driven import MODULES_VARIABLE
from tests.simulator.preload import preload_library

collect_ignore_glob = [] if MODULES_VARIABLE in os.environ else ["test_*.py"]
preload_library()
