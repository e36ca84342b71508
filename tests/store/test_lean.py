"""The database layer is loaded in part, and whole as soon as anybody wants the rest."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from mautrix_whatsapp_py.app import main
from mautrix_whatsapp_py.store.lean import create_async_engine
engine = create_async_engine("sqlite+aiosqlite://")
print([name for name in ("sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "alembic") if name in sys.modules])
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
print(isinstance(engine, AsyncEngine), AsyncSession.__name__)
"""


def test_a_bridge_on_sqlite_holds_neither_the_mapper_nor_the_other_dialect() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["[]", "True AsyncSession"]
