"""Still pictures: opened within bounds, made smaller, written as JPEG, PNG or WebP."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from mautrix_whatsapp_py.media.jobs import JobFailed
from mautrix_whatsapp_py.media.worker.blurhash import encode_blurhash
from mautrix_whatsapp_py.media.worker.sniff import Sniffed
from mautrix_whatsapp_py.model.media_ready import ReadyThumbnail, UnreadyReason

MAX_SIDE: Final = 32_768
MAX_PIXELS: Final = 100_000_000
"""A photo of the largest phones; decoded, it takes 300 MB."""
STICKER_SIDE: Final = 512
_THUMBNAIL: Final = (800, 600)
_PREVIEW_SIDE: Final = 100
_MAX_PREVIEW_BYTES: Final = 16_384
_HASH_SIDE: Final = 24
_WHITE: Final = (255, 255, 255)
_SIDES: Final = (8_192, 4_096, 2_560, 1_600, 1_024, 640)
_QUALITIES: Final = (90, 80, 65)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """A small picture and how large the original is, both the right way up."""

    picture: Image.Image
    width: int
    height: int


def open_picture(path: Path, sniffed: Sniffed) -> Image.Image:
    """Read a picture's header; its pixels are only read when somebody needs them."""
    # Our own bound, which knows of sides as well, is checked before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    picture = Image.open(path, formats=[sniffed.reader])
    check_size(picture.width, picture.height)
    return picture


def check_size(width: int, height: int) -> None:
    """JobFailed when a picture or a video has more pixels than anybody honestly sends."""
    if width <= 0 or height <= 0:
        raise JobFailed(UnreadyReason.BROKEN)
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise JobFailed(UnreadyReason.TOO_MANY_PIXELS, f"{width}x{height}")


def has_alpha(picture: Image.Image) -> bool:
    """Whether anything of it can be seen through."""
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        lowest, _ = picture.convert("RGBA").getchannel("A").getextrema()
        return isinstance(lowest, int | float) and lowest < 255
    return False


def upright(picture: Image.Image) -> Image.Image:
    """The picture as its camera was held, with eight bits per channel: RGB, or RGBA where it has alpha."""
    turned = ImageOps.exif_transpose(picture)
    return _eight_bits(turned)


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if has_alpha(picture):
        return picture.convert("RGBA")
    return picture.convert("RGB")


def flatten(picture: Image.Image) -> Image.Image:
    """On white where it could be seen through."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    ground = Image.new("RGB", picture.size, _WHITE)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def shrink(picture: Image.Image, limit: tuple[int, int] = _THUMBNAIL) -> Shrunk:
    """A small picture; a JPEG is not even decoded in full for it."""
    is_turned = picture.getexif().get(0x0112, 1) >= 5
    width, height = (picture.height, picture.width) if is_turned else picture.size
    if picture.format == "JPEG":
        picture.draft("RGB", (limit[1], limit[0]) if is_turned else limit)
    small = upright(picture)
    small.thumbnail(limit, Image.Resampling.BILINEAR if picture.format == "JPEG" else Image.Resampling.LANCZOS)
    return Shrunk(picture=small, width=width, height=height)


def write_thumbnail(small: Image.Image, folder: Path) -> ReadyThumbnail:
    """A file with the small picture, which keeps its alpha."""
    is_clear = small.mode == "RGBA"
    path = folder / ("thumbnail.png" if is_clear else "thumbnail.jpg")
    if is_clear:
        small.save(path, format="PNG")
    else:
        small.convert("RGB").save(path, format="JPEG", quality=80)
    return ReadyThumbnail(
        path=str(path),
        mime_type="image/png" if is_clear else "image/jpeg",
        size_bytes=path.stat().st_size,
        width=small.width,
        height=small.height,
    )


def hash_picture(small: Image.Image) -> str:
    """Its blurhash."""
    tiny = flatten(small).resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX)
    data = tiny.tobytes()
    pixels = [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]
    return encode_blurhash(pixels, _HASH_SIDE, _HASH_SIDE)


def encode_preview(small: Image.Image) -> bytes:
    """The tiny JPEG that goes inside of a WhatsApp message."""
    tiny = flatten(small)
    tiny.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    for quality in (70, 40, 10):
        out = io.BytesIO()
        tiny.save(out, format="JPEG", quality=quality)
        if out.tell() <= _MAX_PREVIEW_BYTES:
            return out.getvalue()
    return b""


def write_within(picture: Image.Image, folder: Path, max_bytes: int) -> tuple[Path, str]:
    """A PNG where it can be seen through, else a JPEG; smaller and coarser until it fits."""
    profile = picture.info.get("icc_profile")
    for side in _SIDES:
        if side < max(picture.size):
            picture = picture.copy()
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        if picture.mode == "RGBA":
            path = folder / "picture.png"
            picture.save(path, format="PNG")
            if path.stat().st_size <= max_bytes:
                return path, "image/png"
            continue
        path = folder / "picture.jpg"
        for quality in _QUALITIES:
            picture.save(path, format="JPEG", quality=quality, icc_profile=profile)
            if path.stat().st_size <= max_bytes:
                return path, "image/jpeg"
    raise JobFailed(UnreadyReason.TOO_LARGE)


def write_sticker(picture: Image.Image, folder: Path, max_bytes: int) -> Path:
    """A square WebP that can be seen through around the picture."""
    square = ImageOps.contain(picture.convert("RGBA"), (STICKER_SIDE, STICKER_SIDE), Image.Resampling.LANCZOS)
    ground = Image.new("RGBA", (STICKER_SIDE, STICKER_SIDE), (0, 0, 0, 0))
    ground.paste(square, ((STICKER_SIDE - square.width) // 2, (STICKER_SIDE - square.height) // 2))
    path = folder / "sticker.webp"
    for quality in _QUALITIES:
        ground.save(path, format="WEBP", quality=quality)
        if path.stat().st_size <= max_bytes:
            return path
    raise JobFailed(UnreadyReason.TOO_LARGE)
