"""What goes wrong with the keys of encrypted rooms."""

from __future__ import annotations


def is_of_database(error: Exception) -> bool:
    """Whether the database of the keys is what failed: the library has no error of its own for that."""
    kind = type(error).__module__.partition(".")[0]
    return kind in ("asyncpg", "sqlite3", "aiosqlite") or isinstance(error, OSError)
