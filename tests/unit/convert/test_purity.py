"""The functional core stays one: no input, output, clock, chance or waiting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[3] / "mautrix_whatsapp_py"
FILES = sorted(path for folder in ("convert", "model") for path in (PACKAGE / folder).glob("*.py"))
PURE = frozenset(
    {
        *(
            "__future__",
            "bisect",
            "collections",
            "dataclasses",
            "datetime",
            "enum",
            "hashlib",
            "html",
            "itertools",
            "math",
            "re",
            "zlib",
            "zlib",
        ),
        *("msgspec", "types", "typing", "unicodedata", "urllib"),
    }
)
OWN = tuple(f"mautrix_whatsapp_py.{name}" for name in ("convert", "model", "errors", "ids"))
CLOCK = frozenset({"now", "utcnow", "today"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_but_the_arguments_decides(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ImportFrom(module=module):
                assert module is not None
                assert module.startswith(OWN) or module.partition(".")[0] in PURE
            case ast.Import(names=names):
                assert {name.name.partition(".")[0] for name in names} <= PURE
            case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name)):
                assert name not in CLOCK
            case ast.Call(func=ast.Name(id=name)):
                assert name not in {"open", "print", "input", "exec", "eval"}
            case _:
                assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global)


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 10
