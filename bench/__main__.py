"""`python -m bench [CASE…]`: measure, print, keep, show in the README."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys

from bench import cases
from bench.figures import IS_SMALL, save, write_readme


def main() -> None:
    """Run the named cases, or all."""
    names = sys.argv[1:] or sorted(module.name for module in pkgutil.iter_modules(cases.__path__))
    for name in names:
        figures = asyncio.run(importlib.import_module(f"bench.cases.{name}").measure())
        for figure in figures:
            print(
                f"{name}: {figure.what}: {figure.value}" + (f" (target: {figure.target})" if figure.target else "")
            )
        if not IS_SMALL:
            save(name, figures)
    if not IS_SMALL:
        write_readme()


if __name__ == "__main__":
    main()
