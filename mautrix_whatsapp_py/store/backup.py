"""Copies of a SQLite file while it is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mautrix_whatsapp_py.store.engine import ensure_private_file


def back_up(path: Path, *, label: str) -> Path:
    """Copy a database with all its journal holds to `<name>.bak-<label>`, which appears whole or not at all."""
    target = path.with_name(f"{path.name}.bak-{label}")
    draft = path.with_name(f"{target.name}.part")
    draft.unlink(missing_ok=True)
    ensure_private_file(draft)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as copy:
        source.backup(copy)
    draft.replace(target)
    return target
