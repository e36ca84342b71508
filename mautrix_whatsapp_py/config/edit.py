"""Changes the text of a YAML file where it must and nowhere else, so that comments, order and style stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mautrix_whatsapp_py.config.document import NotYaml, compose_yaml, parse_yaml
from mautrix_whatsapp_py.config.schema import KeyPath, all_keys, dotted

Value = str | int | bool | None | Mapping[str, str] | list[str]
INDENT = 4


class CannotEdit(ValueError):
    """A file is written in a way that does not let this value be changed in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    start: int
    end: int
    text: str
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A key of a mapping and where it is."""

    name: str
    key: Node
    value: Node

    @property
    def column(self) -> int:
        column: int = self.key.start_mark.column
        return column

    @property
    def end(self) -> int:
        """Where its value ends, comments and blank lines behind it left out."""
        end = _end_of(self.value)
        return end if end is not None else self.key.end_mark.index


def add_missing_keys(text: str, example: str) -> str:
    """The text with every key of the example that it lacks, comments included; as it was when it has all.

    A text that cannot be completed without changing a value it has is returned as it was.
    """
    root, pattern = compose_yaml(text), compose_yaml(example)
    if not isinstance(root, MappingNode) or not isinstance(pattern, MappingNode):
        return text
    changes: list[_Change] = []
    sections = frozenset(key.path for key in all_keys() if key.is_section)
    _complete(root, pattern, (), _Sources(text=text, example=example, sections=sections), changes)
    if not changes:
        return text
    changed = _apply(text, changes)
    return changed if _keeps_values(text, changed) else text


def replace_values(text: str, values: Mapping[KeyPath, Value]) -> str:
    """The text with other values at these paths; CannotEdit when it does not let itself be changed there."""
    root = compose_yaml(text)
    changed = _apply(text, [_replacement(text, _find(root, path), value) for path, value in values.items()])
    expected = parse_yaml(text)
    for path, value in values.items():
        _put(expected, path, value)
    try:
        is_right = parse_yaml(changed) == expected
    except NotYaml:
        is_right = False
    if not is_right:
        raise CannotEdit(", ".join(dotted(path) for path in values))
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    text: str
    example: str
    sections: frozenset[KeyPath]


def _replacement(text: str, entry: _Entry, value: Value) -> _Change:
    colon = text.index(":", entry.key.end_mark.index) + 1
    end = _end_of(entry.value)
    if isinstance(value, Mapping):
        indent = "\n" + " " * (entry.column + INDENT)
        lines = [f"{indent}{_quote(name)}: {_quote(inner)}" for name, inner in value.items()]
        return _Change(start=colon, end=end or colon, text="".join(lines))
    if end is None:
        return _Change(start=colon, end=colon, text=f" {_quote(value)}")
    return _Change(start=entry.value.start_mark.index, end=end, text=_quote(value))


def _quote(value: object) -> str:
    """A value in JSON, whose scalars and flow style are YAML's too."""
    return json.dumps(value, ensure_ascii=False)


def _put(values: Any, path: KeyPath, value: Value) -> None:
    for name in path[:-1]:
        values = values[name]
    values[path[-1]] = dict(value) if isinstance(value, Mapping) else value


def _apply(text: str, changes: list[_Change]) -> str:
    pieces: list[str] = []
    position = 0
    # At one place the deeper comes first: it still belongs to the group that ends there.
    for change in sorted(changes, key=lambda change: (change.start, -change.column)):
        pieces += [text[position : change.start], change.text]
        position = change.end
    return "".join([*pieces, text[position:]])


def _keeps_values(before: str, after: str) -> bool:
    try:
        return _contains(parse_yaml(after), parse_yaml(before))
    except NotYaml:
        return False


def _contains(whole: object, part: object) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and _contains(whole[name], value) for name, value in part.items())
    return part is None or whole == part


def _complete(
    node: MappingNode, pattern: MappingNode, path: KeyPath, sources: _Sources, changes: list[_Change]
) -> None:
    present = {entry.name: entry for entry in _entries(node)}
    previous: _Entry | None = None
    for wanted in _entries(pattern):
        entry = present.get(wanted.name)
        if entry is None:
            changes.append(_insertion(node, previous, wanted, sources))
            continue
        previous = entry
        here = (*path, wanted.name)
        if here in sources.sections and isinstance(wanted.value, MappingNode):
            _complete_section(entry, wanted.value, here, sources, changes)


def _complete_section(
    entry: _Entry, pattern: MappingNode, path: KeyPath, sources: _Sources, changes: list[_Change]
) -> None:
    if isinstance(entry.value, MappingNode) and entry.value.value:
        _complete(entry.value, pattern, path, sources, changes)
    elif _end_of(entry.value) is None:
        changes += [_insert_below(entry, entry.column + INDENT, wanted, sources) for wanted in _entries(pattern)]


def _insertion(node: MappingNode, previous: _Entry | None, wanted: _Entry, sources: _Sources) -> _Change:
    after = previous or _entries(node)[-1]
    if not node.flow_style:
        return _insert_below(after, after.column, wanted, sources)
    value = _quote(parse_yaml(_snippet(wanted, 0, sources.example))[wanted.name])
    return _Change(start=after.end, end=after.end, text=f", {wanted.name}: {value}")


def _insert_below(after: _Entry, column: int, wanted: _Entry, sources: _Sources) -> _Change:
    snippet = _snippet(wanted, column, sources.example)
    line_end = sources.text.find("\n", after.end)
    if line_end >= 0:
        return _Change(start=line_end + 1, end=line_end + 1, text=snippet, column=column)
    end = len(sources.text)
    return _Change(start=end, end=end, text="\n" + snippet.removesuffix("\n"), column=column)


def _snippet(entry: _Entry, column: int, example: str) -> str:
    """The lines of an entry with the comment above it, moved to a column."""
    lines = example.splitlines()
    first, last = entry.key.start_mark.line, example.count("\n", 0, entry.end)
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    if first > 0 and not lines[first - 1].strip():
        first -= 1
    moved = [" " * column + line[entry.column :] if line.strip() else "" for line in lines[first : last + 1]]
    return "\n".join(moved) + "\n"


def _entries(node: MappingNode) -> list[_Entry]:
    pairs: list[tuple[Node, Node]] = node.value
    return [_Entry(name=str(key.value), key=key, value=value) for key, value in pairs]


def _find(root: Node | None, path: KeyPath) -> _Entry:
    node, found = root, None
    for name in path:
        entries = _entries(node) if isinstance(node, MappingNode) else []
        found = next((entry for entry in entries if entry.name == name), None)
        if found is None:
            raise CannotEdit(dotted(path))
        node = found.value
    if found is None:
        raise CannotEdit(dotted(path))
    return found


def _end_of(node: Node) -> int | None:
    """Where a node's text ends; None when it has none, its mark then points behind the next comment."""
    if isinstance(node, ScalarNode):
        if node.start_mark.index == node.end_mark.index:
            return None
        end: int = node.end_mark.index
        return end - 1 if node.style in ("|", ">") else end
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style:
        ends = [_end_of(child) for pair in node.value for child in (pair if isinstance(pair, tuple) else (pair,))]
        known = [end for end in ends if end is not None]
        return max(known, default=None)
    flow_end: int = node.end_mark.index
    return flow_end
