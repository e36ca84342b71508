"""What goes wrong with the keys of encrypted rooms."""

from __future__ import annotations

from typing import Final

_BINDING: Final = "error binding parameter"
"""How SQLite begins when it is given what it has no type for."""


def is_of_database(error: Exception) -> bool:
    """Whether the database of the keys is what failed: the library has no error of its own for that."""
    kind = type(error).__module__.partition(".")[0]
    return kind in ("asyncpg", "sqlite3", "aiosqlite") or isinstance(error, OSError)


def is_of_data(error: Exception) -> bool:
    """Whether it failed because it was given what no database takes, and would fail again and again."""
    names = {one.__name__ for one in type(error).__mro__}
    return "DataError" in names or str(error).lower().startswith(_BINDING)
