"""Pictures that move: GIF, WebP, PNG and AVIF, and lottie drawings."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from mautrix_whatsapp_py.media.jobs import JobFailed
from mautrix_whatsapp_py.media.worker.pictures import STICKER_SIDE, check_size
from mautrix_whatsapp_py.model.media_ready import UnreadyReason

MAX_FRAMES: Final = 1_500
_MAX_SECONDS: Final = 60
_MAX_FRAME_PIXELS: Final = 4_000_000
_MAX_LOTTIE_BYTES: Final = 8 << 20
_LOTTIE_SIDE: Final = 320
_LOTTIE_RATE: Final = 25
_DEFAULT_MS: Final = 100
_ANIMATION: Final = "animation/animation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture, and how long it is shown."""

    picture: Image.Image
    shown_ms: int


def is_moving(picture: Image.Image) -> bool:
    """Whether there is more than one frame."""
    return bool(getattr(picture, "is_animated", False))


def read_frames(picture: Image.Image) -> Iterator[Frame]:
    """Its frames, with alpha, one at a time; what goes on for too long is cut."""
    check_size(picture.width, picture.height)
    if picture.width * picture.height > _MAX_FRAME_PIXELS:
        raise JobFailed(UnreadyReason.TOO_MANY_PIXELS)
    passed_ms = 0
    for number in range(min(getattr(picture, "n_frames", 1), MAX_FRAMES)):
        picture.seek(number)
        shown = picture.convert("RGBA")
        # Some readers only know how long a frame is shown once they have decoded it.
        shown_ms = round(float(picture.info.get("duration") or _DEFAULT_MS))
        # Browsers show very short frames for a tenth of a second; so do phones.
        shown_ms = shown_ms if shown_ms > 10 else _DEFAULT_MS
        yield Frame(picture=shown, shown_ms=shown_ms)
        passed_ms += shown_ms
        if passed_ms > _MAX_SECONDS * 1_000:
            return


def read_lottie(path: Path) -> list[Frame]:
    """The frames of a lottie drawing: as WhatsApp packs it, as Telegram does, or bare."""
    from rlottie_python.rlottie_wrapper import LottieAnimation

    drawing = LottieAnimation.from_data(_lottie_text(path).decode("utf-8"))
    count, rate = drawing.lottie_animation_get_totalframe(), drawing.lottie_animation_get_framerate()
    if not 0 < rate <= 240 or not 0 < count <= rate * _MAX_SECONDS:
        raise JobFailed(UnreadyReason.BROKEN)
    shown = max(1, round(count / rate * _LOTTIE_RATE))
    size = {"width": _LOTTIE_SIDE, "height": _LOTTIE_SIDE}
    return [
        Frame(
            picture=drawing.render_pillow_frame(frame_num=min(number * count // shown, count - 1), **size),
            shown_ms=1_000 // _LOTTIE_RATE,
        )
        for number in range(shown)
    ]


def _lottie_text(path: Path) -> bytes:
    data = path.read_bytes() if path.stat().st_size <= _MAX_LOTTIE_BYTES else b""
    if data.startswith(b"\x1f\x8b"):
        with gzip.open(io.BytesIO(data)) as packed:
            data = packed.read(_MAX_LOTTIE_BYTES + 1)
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(_ANIMATION) as packed:
            data = packed.read(_MAX_LOTTIE_BYTES + 1)
    if not 0 < len(data) <= _MAX_LOTTIE_BYTES or b'"layers"' not in data:
        raise JobFailed(UnreadyReason.UNKNOWN)
    return data


def write_webp(
    frames: list[Frame], folder: Path, *, side: int | None = None, max_bytes: int | None = None
) -> Path:
    """A WebP that moves, for ever; within a square where a side is given, and within a size."""
    if not frames:
        raise JobFailed(UnreadyReason.BROKEN)
    path = folder / "moving.webp"
    for quality, step in ((75, 1), (50, 1), (40, 2), (25, 3), (15, 4)):
        pictures = [_fit(frame.picture, side) for frame in frames[::step]]
        shown = [sum(frame.shown_ms for frame in frames[at : at + step]) for at in range(0, len(frames), step)]
        pictures[0].save(
            path,
            format="WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=shown,
            loop=0,
            quality=quality,
            method=2,
        )
        if max_bytes is None or path.stat().st_size <= max_bytes:
            return path
    raise JobFailed(UnreadyReason.TOO_LARGE)


def _fit(picture: Image.Image, side: int | None) -> Image.Image:
    if side is None:
        return picture
    inner = ImageOps.contain(picture, (side, side))
    ground = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    ground.paste(inner, ((side - inner.width) // 2, (side - inner.height) // 2))
    return ground


def sticker_frames(picture: Image.Image) -> list[Frame]:
    """The frames of a moving picture, small enough to hold them all at once."""
    kept: list[Frame] = []
    for frame in read_frames(picture):
        frame.picture.thumbnail((STICKER_SIDE, STICKER_SIDE))
        kept.append(frame)
    return kept
