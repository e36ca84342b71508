"""How people of WhatsApp are called on Matrix: the part of mautrix-whatsapp's templates that names need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

KNOWN_FIELDS = frozenset(
    {
        "BusinessName",
        "PushName",
        "Phone",
        "RedactedPhone",
        "FullName",
        "FirstName",
        "JID",
        "Notify",
        "VName",
        "Name",
        "Short",
    }
)
DEFAULT_TEMPLATE = '{{or .BusinessName .PushName .Phone "WhatsApp user"}} (WA)'
_ACTION = re.compile(r"\{\{(.*?)\}\}")
_WORD = re.compile(r'\s*(?:\.(?P<field>\w+)|"(?P<text>[^"]*)"|(?P<call>\w+))')


class BadTemplate(ValueError):
    """Why a template cannot be used, in words that go on after its path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """The first of these that says something."""

    fields: tuple[tuple[str, str], ...]
    """A field's name, or nothing and a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTemplate:
    """Texts and choices in turn."""

    parts: tuple[str | _Choice, ...]

    def fill(self, values: Mapping[str, str]) -> str:
        """The name that these values make."""
        return "".join(part if isinstance(part, str) else _choose(part, values) for part in self.parts)


def decode_template(text: str) -> NameTemplate:
    """A template as it is written. BadTemplate says why not."""
    parts: list[str | _Choice] = []
    end = 0
    for action in _ACTION.finditer(text):
        parts += [text[end : action.start()], _decode_action(action[1])]
        end = action.end()
    rest = text[end:]
    if "{{" in rest or "}}" in rest:
        raise BadTemplate("has a {{ or }} too many")
    if not any(isinstance(part, _Choice) for part in parts):
        raise BadTemplate("must say who it is, for example {{.PushName}}")
    return NameTemplate(parts=(*parts, rest))


def _decode_action(action: str) -> _Choice:
    found: list[tuple[str, str]] = []
    end, is_choice = 0, False
    while action[end:].strip():
        word = _WORD.match(action, end)
        if word is None or (word["call"] and (word["call"] != "or" or end != 0)):
            raise BadTemplate(
                f"cannot hold {{{{{action}}}}}; write {{{{.PushName}}}} or {{{{or .PushName .Phone}}}}"
            )
        end = word.end()
        if word["call"]:
            is_choice = True
            continue
        if word["field"] and word["field"] not in KNOWN_FIELDS:
            raise BadTemplate(f"knows no .{word['field']}; it knows {', '.join(sorted(KNOWN_FIELDS))}")
        found.append((word["field"] or "", word["text"] or ""))
    if not found or (len(found) > 1 and not is_choice):
        raise BadTemplate(f"cannot hold {{{{{action}}}}}; write {{{{or …}}}} before several names")
    return _Choice(fields=tuple(found))


def _choose(choice: _Choice, values: Mapping[str, str]) -> str:
    return next((said for name, text in choice.fields if (said := values.get(name, "") if name else text)), "")
