"""A terminal's screen as a picture, for phones that look at it and for the docs."""

from __future__ import annotations

import re

import zxingcpp
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 9, 18
"""Of a cell, in pixels."""
DARK, LIGHT, BRIGHT = "#1c1c1c", "#d0d0d0", "#ffffff"
_COLOURS = re.compile(r"\x1b\[([0-9;]*)m")
_HALVES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}


def draw_screen(text: str) -> Image.Image:
    """What a dark terminal shows of a program's output."""
    lines = text.rstrip("\n").split("\n")
    columns = max(len(_COLOURS.sub("", line)) for line in lines)
    image = Image.new("RGB", ((columns + 2) * WIDTH, (len(lines) + 1) * HEIGHT), DARK)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=13)
    for row, line in enumerate(lines):
        _draw_line(draw, font, line, top=row * HEIGHT + HEIGHT // 2)
    return image


def _draw_line(draw: ImageDraw.ImageDraw, font: object, line: str, *, top: int) -> None:
    left, is_inverse = WIDTH, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        colours = _COLOURS.fullmatch(part)
        if colours is not None:
            is_inverse = "107" in colours[1].split(";")
        elif is_inverse:
            for letter in part:
                _draw_halves(draw, letter, left, top)
                left += WIDTH
        elif part:
            draw.text((left, top), part, fill=LIGHT, font=font)  # type: ignore[arg-type]
            left += WIDTH * len(part)


def _draw_halves(draw: ImageDraw.ImageDraw, letter: str, left: int, top: int) -> None:
    for index, is_ink in enumerate(_HALVES.get(letter, (False, False))):
        upper = top + index * HEIGHT // 2
        box = (left, upper, left + WIDTH - 1, upper + HEIGHT // 2 - 1)
        draw.rectangle(box, fill="#000000" if is_ink else BRIGHT)


def read_screen(text: str) -> str | None:
    """The QR code that a phone's camera sees there."""
    image = draw_screen(text).convert("L")
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return found[-1].text if found else None
