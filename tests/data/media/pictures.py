"""Pictures of every format."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from functools import cache
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw

from tests.data.media.sample import Sample

SIZE = (320, 240)
COLOURS = ((200, 40, 40), (40, 160, 60), (50, 70, 200), (230, 200, 50))
"""Of the quarters, which survive any lossy format."""


def quarters(size: tuple[int, int] = SIZE, *, turn: int = 0) -> Image.Image:
    """Four quarters, each of a colour of its own; `turn` moves them round."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    width, height = size[0] // 2, size[1] // 2
    for place, (x, y) in enumerate(((0, 0), (width, 0), (0, height), (width, height))):
        draw.rectangle((x, y, x + width, y + height), fill=COLOURS[(place + turn) % 4])
    return picture


def clear_quarters(size: tuple[int, int] = SIZE) -> Image.Image:
    """The same with its last quarter to be seen through."""
    picture = quarters(size).convert("RGBA")
    hole = Image.new("RGBA", (size[0] // 2, size[1] // 2), (0, 0, 0, 0))
    picture.paste(hole, (size[0] // 2, size[1] // 2))
    return picture


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    picture.save(out, format=kind, **options)
    return out.getvalue()


def moving(kind: str, *, frames: int = 8, shown_ms: int = 120, size: tuple[int, int] = (160, 120)) -> bytes:
    """The quarters going round."""
    pictures = [quarters(size, turn=number) for number in range(frames)]
    return saved(
        pictures[0], kind, save_all=True, append_images=pictures[1:], duration=shown_ms, loop=0, lossless=True
    )


def heic() -> bytes:
    """A photo of an iPhone's format."""
    out = io.BytesIO()
    pillow_heif.from_pillow(quarters()).save(out, quality=90)
    return out.getvalue()


def turned_jpeg() -> bytes:
    """A photo whose camera was held upright: stored on its side, with a note."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(quarters().rotate(90, expand=True), "JPEG", quality=95, exif=exif)


def drawing() -> bytes:
    """An SVG with two colours."""
    return (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30">'
        b'<rect width="20" height="30" fill="#c82828"/><rect x="20" width="20" height="15" fill="#28a03c"/></svg>'
    )


def lottie() -> dict[str, Any]:
    """A lottie drawing: a red square for a second, that moves."""
    shape = {
        "ty": "gr",
        "it": [
            {"ty": "rc", "p": {"a": 0, "k": [0, 0]}, "s": {"a": 0, "k": [200, 200]}, "r": {"a": 0, "k": 0}},
            {"ty": "fl", "c": {"a": 0, "k": [1, 0, 0, 1]}, "o": {"a": 0, "k": 100}},
            {
                "ty": "tr",
                "p": {"a": 0, "k": [0, 0]},
                "a": {"a": 0, "k": [0, 0]},
                "s": {"a": 0, "k": [100, 100]},
                "r": {"a": 0, "k": 0},
                "o": {"a": 0, "k": 100},
            },
        ],
    }
    moves = [{"t": 0, "s": [150, 256, 0], "e": [350, 256, 0], "i": {"x": 1, "y": 1}, "o": {"x": 0, "y": 0}}]
    layer = {
        "ty": 4,
        "ip": 0,
        "op": 30,
        "st": 0,
        "sr": 1,
        "ks": {
            "o": {"a": 0, "k": 100},
            "r": {"a": 0, "k": 0},
            "p": {"a": 1, "k": [*moves, {"t": 30}]},
            "a": {"a": 0, "k": [0, 0, 0]},
            "s": {"a": 0, "k": [100, 100, 100]},
        },
        "shapes": [shape],
    }
    return {"v": "5.5.2", "fr": 30, "ip": 0, "op": 30, "w": 512, "h": 512, "layers": [layer]}


def was() -> bytes:
    """A lottie sticker as WhatsApp packs it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("animation/animation.json", json.dumps(lottie()))
    return out.getvalue()


def tgs() -> bytes:
    """A lottie sticker as Telegram packs it."""
    return gzip.compress(json.dumps(lottie()).encode())


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that would be as large as it says, once opened."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(min(height, 2_000))) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@cache
def pictures() -> tuple[Sample, ...]:
    """Everything that can be looked at."""
    plain, clear = quarters(), clear_quarters()
    return (
        Sample(name="photo.jpg", mime_type="image/jpeg", data=saved(plain, "JPEG", quality=95)),
        Sample(name="turned.jpg", mime_type="image/jpeg", data=turned_jpeg()),
        Sample(name="cmyk.jpg", mime_type="image/jpeg", data=saved(plain.convert("CMYK"), "JPEG", quality=95)),
        Sample(name="plain.png", mime_type="image/png", data=saved(plain, "PNG")),
        Sample(name="clear.png", mime_type="image/png", data=saved(clear, "PNG")),
        Sample(name="palette.png", mime_type="image/png", data=saved(plain.quantize(4), "PNG")),
        Sample(name="photo.heic", mime_type="image/heic", data=heic()),
        Sample(name="photo.avif", mime_type="image/avif", data=saved(plain, "AVIF", quality=90)),
        Sample(name="scan.tiff", mime_type="image/tiff", data=saved(plain, "TIFF")),
        Sample(name="old.bmp", mime_type="image/bmp", data=saved(plain, "BMP")),
        Sample(name="still.webp", mime_type="image/webp", data=saved(plain, "WEBP", quality=95)),
        Sample(name="clear.webp", mime_type="image/webp", data=saved(clear, "WEBP", lossless=True)),
        Sample(name="still.gif", mime_type="image/gif", data=saved(plain, "GIF")),
        Sample(name="drawing.svg", mime_type="image/svg+xml", data=drawing()),
    )


@cache
def animations() -> tuple[Sample, ...]:
    """Everything that moves and makes no sound."""
    return (
        Sample(name="moving.gif", mime_type="image/gif", data=moving("GIF"), duration_ms=960),
        Sample(name="moving.webp", mime_type="image/webp", data=moving("WEBP"), duration_ms=960),
        Sample(name="moving.png", mime_type="image/png", data=moving("PNG"), duration_ms=960),
    )
