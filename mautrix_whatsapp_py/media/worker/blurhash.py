"""Blurhash: a picture in some thirty characters, shown until the picture is there; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

Pixel: TypeAlias = tuple[int, int, int]
Colour: TypeAlias = tuple[float, float, float]

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_QUANTA: Final = 9
_HALF: Final = 9


def encode_blurhash(pixels: Sequence[Pixel], width: int, height: int, *, columns: int = 4, rows: int = 3) -> str:
    """The hash of a picture given row by row; small pictures say as much as large ones."""
    light = [_to_light(pixel) for pixel in pixels]
    factors = [_factor(light, width, height, x, y) for y in range(rows) for x in range(columns)]
    average, details = factors[0], factors[1:]
    largest = max((abs(value) for factor in details for value in factor), default=0.0)
    quantised = max(0, min(82, math.floor(largest * 166 - 0.5))) if details else 0
    scale = (quantised + 1) / 166 if details else 1.0
    said = _digits((columns - 1) + (rows - 1) * 9, 1) + _digits(quantised, 1) + _digits(_average(average), 4)
    return said + "".join(_digits(_detail(factor, scale), 2) for factor in details)


def _factor(light: Sequence[Colour], width: int, height: int, x: int, y: int) -> Colour:
    across = [math.cos(math.pi * x * column / width) for column in range(width)]
    down = [math.cos(math.pi * y * row / height) for row in range(height)]
    sums = [0.0, 0.0, 0.0]
    for row in range(height):
        for column in range(width):
            weight = across[column] * down[row]
            for index, value in enumerate(light[row * width + column]):
                sums[index] += weight * value
    norm = (1.0 if x == 0 and y == 0 else 2.0) / (width * height)
    return sums[0] * norm, sums[1] * norm, sums[2] * norm


def _average(colour: Colour) -> int:
    red, green, blue = map(_from_light, colour)
    return (red << 16) + (green << 8) + blue


def _detail(colour: Colour, scale: float) -> int:
    red, green, blue = (_quantise(value / scale) for value in colour)
    return red * 361 + green * 19 + blue


def _quantise(value: float) -> int:
    curved = math.copysign(math.sqrt(abs(value)), value)
    return max(0, min(18, math.floor(curved * _QUANTA + _HALF + 0.5)))


def _to_light(pixel: Pixel) -> Colour:
    red, green, blue = (_linear(value / 255) for value in pixel)
    return red, green, blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4)


def _from_light(value: float) -> int:
    clipped = max(0.0, min(1.0, value))
    curved = clipped * 12.92 if clipped <= 0.0031308 else 1.055 * math.pow(clipped, 1 / 2.4) - 0.055
    return math.floor(curved * 255 + 0.5)


def _digits(value: int, length: int) -> str:
    return "".join(_DIGITS[value // 83 ** (length - place) % 83] for place in range(1, length + 1))
