"""The keys of the tree, listed."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any

from mautrix_whatsapp_py.config.section import Section
from mautrix_whatsapp_py.config.tree import Config

KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the tree: a section or a value."""

    path: KeyPath
    kind: Any

    @property
    def is_section(self) -> bool:
        return is_section(self.kind)

    @property
    def is_text(self) -> bool:
        """Whether the value is text, so that no text may be read as a number or a truth value."""
        return without_none(self.kind) is str


def dotted(path: KeyPath) -> str:
    """A path as problems name it."""
    return ".".join(path)


def is_section(kind: Any) -> bool:
    """Whether a type stands for a group of keys."""
    return isinstance(kind, type) and issubclass(kind, Section)


def without_none(kind: Any) -> Any:
    """The type a value has when it is given."""
    if isinstance(kind, UnionType):
        return next(member for member in typing.get_args(kind) if member is not NoneType)
    return kind


def fields_of(section: type[Section]) -> dict[str, Any]:
    """The keys of one section with their types, in order."""
    hints = typing.get_type_hints(section)
    fields = dataclasses.fields(section)  # type: ignore[arg-type]
    return {field.name: hints[field.name] for field in fields if field.metadata.get("key", True)}


def all_keys(section: type[Section] = Config, path: KeyPath = ()) -> Iterator[Key]:
    """Every key below a section, sections before what they hold."""
    for name, kind in fields_of(section).items():
        key = Key(path=(*path, name), kind=kind)
        yield key
        if key.is_section:
            yield from all_keys(kind, key.path)
