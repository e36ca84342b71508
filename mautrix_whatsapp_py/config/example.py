"""The example configuration, the source of every comment the bridge writes."""

from __future__ import annotations

from pathlib import Path

EXAMPLE_NAME = "example-config.yaml"


def example_text() -> str:
    """The example, from the installed package or, in a checkout, from the root of the repository."""
    installed = Path(__file__).with_name(EXAMPLE_NAME)
    path = installed if installed.exists() else Path(__file__).resolve().parents[2] / EXAMPLE_NAME
    return path.read_text(encoding="utf-8")
