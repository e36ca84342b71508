"""Line charts as SVG, without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 860, 420, 60
COLOURS = ("#1b6ca8", "#c0392b", "#1e8449", "#7d3c98", "#b9770e")


@dataclass(frozen=True, slots=True)
class Series:
    """A named line."""

    name: str
    points: Sequence[tuple[float, float]]


def write_plot(path: Path, *, title: str, x_label: str, series: Sequence[Series]) -> None:
    """Draw lines over a common pair of axes that start at zero."""
    x_max = max((x for line in series for x, _ in line.points), default=1) or 1
    y_max = (max((y for line in series for _, y in line.points), default=1) or 1) * 1.1
    parts = [_head(title, x_label), *_grid(x_max, y_max)]
    for number, line in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{_x(x, x_max):.1f},{_y(y, y_max):.1f}" for x, y in line.points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        parts.append(_legend(line.name, colour, number))
    path.write_text("\n".join([*parts, "</svg>", ""]))


def _x(value: float, most: float) -> float:
    return MARGIN + value / most * (WIDTH - 2 * MARGIN)


def _y(value: float, most: float) -> float:
    return HEIGHT - MARGIN - value / most * (HEIGHT - 2 * MARGIN)


def _head(title: str, x_label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{WIDTH / 2}" y="24" text-anchor="middle" font-size="15">{escape(title)}</text>'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 16}" text-anchor="middle">{escape(x_label)}</text>'
    )


def _grid(x_max: float, y_max: float) -> list[str]:
    parts = []
    for step in range(6):
        x, y = x_max * step / 5, y_max * step / 5
        parts.append(
            f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{_y(y, y_max):.1f}" y2="{_y(y, y_max):.1f}" '
            f'stroke="#ddd"/><text x="{MARGIN - 6}" y="{_y(y, y_max) + 4:.1f}" text-anchor="end">{y:.0f}</text>'
            f'<text x="{_x(x, x_max):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{x:.0f}</text>'
        )
    return parts


def _legend(name: str, colour: str, number: int) -> str:
    y = 46 + 16 * number
    return (
        f'<line x1="{MARGIN + 10}" x2="{MARGIN + 34}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{MARGIN + 40}" y="{y + 4}">{escape(name)}</text>'
    )
