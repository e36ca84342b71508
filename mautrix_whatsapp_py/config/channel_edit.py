"""Puts a whole `channel:` section into a configuration."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode

from mautrix_whatsapp_py.config.document import compose_yaml

SECTION = "channel"


def replace_channel(text: str, keys: Mapping[str, Any]) -> str:
    """The text with this section instead of the one it has, if any; everything else stays as it is."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    out = io.StringIO()
    yaml.dump({SECTION: dict(keys)}, out)
    lines = text.splitlines(keepends=True)
    begin, end = _find(text)
    return "".join((*lines[:begin], _ended(lines[:begin]), out.getvalue(), *lines[end:]))


def _find(text: str) -> tuple[int, int]:
    """The lines of the section that is there; behind the last line when there is none."""
    root = compose_yaml(text)
    count = len(text.splitlines())
    if not isinstance(root, MappingNode):
        return count, count
    starts = [(key.value, key.start_mark.line) for key, _ in root.value]
    for index, (name, line) in enumerate(starts):
        if name == SECTION:
            following = starts[index + 1][1] if index + 1 < len(starts) else count
            return line, _without_comments(text.splitlines(), following)
    return count, count


def _without_comments(lines: list[str], line: int) -> int:
    """Comments in front of the next section are that one's."""
    while line > 0 and line < len(lines) and (not lines[line - 1].strip() or lines[line - 1].startswith("#")):
        line -= 1
    return line


def _ended(lines: list[str]) -> str:
    return "\n" if lines and not lines[-1].endswith("\n") else ""
