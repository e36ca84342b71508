"""Composition root: configuration -> adapters -> bridge -> servers."""

from __future__ import annotations

from mautrix_whatsapp_py.config import Config, RunOptions


def run(config: Config, options: RunOptions) -> int:
    """Run the bridge until it is told to stop; the exit code."""
    raise NotImplementedError
