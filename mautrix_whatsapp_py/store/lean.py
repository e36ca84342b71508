"""The database layer without the part of it that nobody here uses."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_PACKAGE = "sqlalchemy.ext.asyncio"


class _Bare(ModuleType):
    """Stands for the package until somebody wants something of it that is not one of its modules."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if importlib.util.find_spec(f"{self.__name__}.{name}") is not None:
            return importlib.import_module(f"{self.__name__}.{name}")
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def create_async_engine(*args: Any, **options: Any) -> AsyncEngine:
    """As the package of that name does it.

    Importing the package as such brings its mapper of objects along: 6 MB that every bridge would hold.
    """
    if _PACKAGE not in sys.modules:
        spec = importlib.util.find_spec("sqlalchemy.ext")
        if spec is None or not spec.submodule_search_locations:
            raise ImportError(_PACKAGE)
        bare = _Bare(_PACKAGE)
        bare.__path__ = [f"{place}/asyncio" for place in spec.submodule_search_locations]
        sys.modules[_PACKAGE] = bare
    engine: AsyncEngine = importlib.import_module(f"{_PACKAGE}.engine").create_async_engine(*args, **options)
    return engine
