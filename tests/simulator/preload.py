"""Loading of the client library without its side effects on a test run."""

from __future__ import annotations

import importlib
import io
import os
import sys
from types import ModuleType


def preload_library() -> None:
    """Import neonize where libmagic may be missing, and without the shells it starts."""
    if "neonize" in sys.modules:
        return
    # A led session host never comes here, and would only seem larger.
    from unittest import mock

    _ensure_magic()
    # its import leaves two unclosed pipes of `uname -a` behind, which fails a strict test run at random
    with mock.patch.object(os, "popen", return_value=io.StringIO(" ".join(os.uname()))):
        importlib.import_module("neonize")


def _ensure_magic() -> None:
    # only media functions nobody here calls would need the real one
    try:
        importlib.import_module("magic")
    except ImportError:
        stub = ModuleType("magic")
        stub.__dict__["from_buffer"] = stub.__dict__["from_file"] = _unavailable
        sys.modules["magic"] = stub


def _unavailable(*_args: object, **_kwargs: object) -> str:
    raise RuntimeError("libmagic is not installed")
