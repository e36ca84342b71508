"""Figures in the text format that Prometheus reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

Labels: TypeAlias = Mapping[str, str]
NO_LABELS: Labels = MappingProxyType({})
Row: TypeAlias = tuple[Labels, float]
PREFIX = "mautrix_whatsapp_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Figures of one name."""

    name: str
    help: str
    kind: str = "gauge"
    rows: Sequence[Row] = ()

    def lines(self) -> Iterable[str]:
        """The lines of it."""
        yield from _head(self.name, self.help, self.kind)
        for labels, value in self.rows:
            yield _line(self.name, labels, value)


@dataclass(slots=True, kw_only=True)
class _Buckets:
    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total_seconds: float = 0.0


class Durations:
    """How long things took, by their labels; as many label sets as there are kinds of things."""

    def __init__(self, name: str, help_text: str, label_names: tuple[str, ...]) -> None:
        self._name = name
        self._help = help_text
        self._label_names = label_names
        self._seen: dict[tuple[str, ...], _Buckets] = {}

    def note(self, labels: tuple[str, ...], seconds: float) -> None:
        """One more."""
        buckets = self._seen.get(labels)
        if buckets is None:
            buckets = self._seen[labels] = _Buckets()
        buckets.counts[bisect_left(SECONDS, seconds)] += 1
        buckets.total_seconds += max(0.0, seconds)

    def lines(self) -> Iterable[str]:
        """The lines of it."""
        yield from _head(self._name, self._help, "histogram")
        for values, buckets in sorted(self._seen.items()):
            labels = dict(zip(self._label_names, values, strict=True))
            below = 0
            for limit, count in zip((*SECONDS, float("inf")), buckets.counts, strict=True):
                below += count
                yield _line(f"{self._name}_bucket", {**labels, "le": _number(limit)}, below)
            yield _line(f"{self._name}_sum", labels, buckets.total_seconds)
            yield _line(f"{self._name}_count", labels, below)


def _head(name: str, help_text: str, kind: str) -> Iterable[str]:
    yield f"# HELP {PREFIX}{name} {help_text}"
    yield f"# TYPE {PREFIX}{name} {kind}"


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    return f"{PREFIX}{name}{{{shown}}} {_number(value)}" if shown else f"{PREFIX}{name} {_number(value)}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)
