"""What the command line says about one start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Checks that the person who starts the bridge switched off."""

    ignore_unsupported_database: bool = False
    ignore_foreign_tables: bool = False
    ignore_unsupported_server: bool = False
