"""How alike two files are."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence

import av
from PIL import Image, ImageChops, ImageOps, ImageStat


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of their pixels, from 0 to 255; alpha counts where either has it."""
    mode = "RGBA" if "RGBA" in (one.mode, other.mode) else "RGB"
    shown = [ImageOps.exif_transpose(picture).convert(mode) for picture in (one, other)]
    if shown[0].size != shown[1].size:
        return 255.0
    if mode == "RGBA":
        grounds = [Image.new("RGBA", picture.size, (255, 255, 255, 255)) for picture in shown]
        shown = [Image.alpha_composite(ground, each) for ground, each in zip(grounds, shown, strict=True)]
    return statistics.mean(ImageStat.Stat(ImageChops.difference(*shown)).mean[:3])


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """How much two curves go up and down together; 1 is always."""
    return statistics.correlation(list(map(float, one)), list(map(float, other)))


def duration_of(data: bytes) -> float:
    """Milliseconds that are really there to be seen or heard."""
    with av.open(io.BytesIO(data)) as container:
        if container.streams.video:
            return (container.duration or 0) / 1_000
        heard = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
        return heard * 1_000
