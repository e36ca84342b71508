"""How messages of people without an account are told on WhatsApp: the part of Go's templates that takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from mautrix_whatsapp_py.config.name_template import BadTemplate

NAME_FIELDS: Final = frozenset(
    {"UserID", "Displayname", "DisambiguatedName", "RequiresDisambiguation", "Distinguisher"}
)
MESSAGE_FIELDS: Final = frozenset(
    {f"Sender.{name}" for name in NAME_FIELDS | {"FormattedName"}} | {"Message", "Caption", "FileName"}
)
DEFAULT_NAME: Final = "{{ .DisambiguatedName }}"
DEFAULT_DISTINGUISHERS: Final = ("🟦", "🟣", "🟩", "⭕️", "🔶", "⬛️", "🔵", "🟢")
_WHO: Final = "<b>{{ .Sender.FormattedName }}</b>"
_CAPTION: Final = "{{ if .Caption }}: {{ .Caption }}{{ end }}"
DEFAULT_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "m.text": f"{_WHO}: {{{{ .Message }}}}",
        "m.notice": f"{_WHO}: {{{{ .Message }}}}",
        "m.emote": f"* {_WHO} {{{{ .Message }}}}",
        "m.file": f"{_WHO} sent a file{_CAPTION}",
        "m.image": f"{_WHO} sent an image{_CAPTION}",
        "m.audio": f"{_WHO} sent an audio file{_CAPTION}",
        "m.video": f"{_WHO} sent a video{_CAPTION}",
        "m.location": f"{_WHO} sent a location{_CAPTION}",
    }
)
_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD: Final = re.compile(r"\.([\w.]+)")
_IF: Final = re.compile(r"if\s+\.([\w.]+)")
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class _Field:
    """Stands for a value."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """One text where a value is there, another where it is not."""

    name: str
    there: tuple[_Part, ...]
    missing: tuple[_Part, ...]


_Part: TypeAlias = str | _Field | _Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTemplate:
    """Texts, values and choices in turn."""

    parts: tuple[_Part, ...]

    def fill(self, values: Mapping[str, str]) -> str:
        """The text that these values make; they go in as they are."""
        return _fill(self.parts, values)

    @property
    def fields(self) -> frozenset[str]:
        """The values it may show."""
        return frozenset(_names(self.parts))


def decode_relay_template(text: str, known: frozenset[str] = MESSAGE_FIELDS) -> RelayTemplate:
    """A template as it is written. BadTemplate says why not."""
    reader = _Reader(text, known)
    parts = reader.read()
    return RelayTemplate(parts=parts)


class _Reader:
    """Reads a template from front to back."""

    def __init__(self, text: str, known: frozenset[str]) -> None:
        self._known = known
        self._tokens = _tokens(text)

    def read(self) -> tuple[_Part, ...]:
        parts, end = self._read_until(depth=0)
        if end:
            raise BadTemplate(f"has {{{{ {end} }}}} without {{{{ if }}}}")
        return parts

    def _read_until(self, *, depth: int) -> tuple[tuple[_Part, ...], str]:
        """The parts up to the word that ends them."""
        if depth > _MAX_DEPTH:
            raise BadTemplate("is nested too deep")
        parts: list[_Part] = []
        for is_action, said in self._tokens:
            if not is_action:
                parts.append(said)
            elif said in ("else", "end"):
                return tuple(parts), said
            elif found := _IF.fullmatch(said):
                parts.append(self._read_choice(self._checked(found[1]), depth=depth + 1))
            elif found := _FIELD.fullmatch(said):
                parts.append(_Field(self._checked(found[1])))
            else:
                raise BadTemplate(f"cannot hold {{{{ {said} }}}}; it knows fields, if, else and end")
        return tuple(parts), ""

    def _read_choice(self, name: str, *, depth: int) -> _Choice:
        there, end = self._read_until(depth=depth)
        missing: tuple[_Part, ...] = ()
        if end == "else":
            missing, end = self._read_until(depth=depth)
        if end != "end":
            raise BadTemplate("has {{ if }} without {{ end }}")
        return _Choice(name=name, there=there, missing=missing)

    def _checked(self, name: str) -> str:
        if name not in self._known:
            raise BadTemplate(f"knows no .{name}; it knows {', '.join(f'.{one}' for one in sorted(self._known))}")
        return name


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    end = 0
    for action in _ACTION.finditer(text):
        yield False, _literal(text[end : action.start()])
        yield True, action[1]
        end = action.end()
    yield False, _literal(text[end:])


def _literal(text: str) -> str:
    if "{{" in text or "}}" in text:
        raise BadTemplate("has a {{ or }} too many")
    return text


def _fill(parts: tuple[_Part, ...], values: Mapping[str, str]) -> str:
    said: list[str] = []
    for part in parts:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, _Field):
            said.append(values.get(part.name, ""))
        else:
            said.append(_fill(part.there if values.get(part.name) else part.missing, values))
    return "".join(said)


def _names(parts: tuple[_Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, _Field):
            yield part.name
        elif isinstance(part, _Choice):
            yield from _names(part.there)
            yield from _names(part.missing)
