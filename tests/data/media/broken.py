"""Files that are not what they say, or want to do harm."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache

from mautrix_whatsapp_py.model.media_ready import UnreadyReason
from tests.data.media.clips import clip
from tests.data.media.pictures import bomb, lottie, quarters, saved
from tests.data.media.sample import Sample


def archive(names: dict[str, bytes]) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in names.items():
            packed.writestr(name, data)
    return out.getvalue()


@cache
def broken_pictures() -> tuple[tuple[Sample, UnreadyReason], ...]:
    """Pictures that are refused, and why."""
    photo = saved(quarters(), "JPEG", quality=95)
    noise = saved(quarters().effect_spread(60), "PNG")

    def sample(name: str, data: bytes, mime_type: str = "image/png") -> Sample:
        return Sample(name=name, mime_type=mime_type, data=data)

    leads_out = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/hostname"/></svg>'
    return (
        (sample("bomb.png", bomb(30_000, 30_000)), UnreadyReason.TOO_MANY_PIXELS),
        (sample("wide.png", bomb(100_000, 1)), UnreadyReason.TOO_MANY_PIXELS),
        (sample("polyglot.jpg", photo + archive({"evil.txt": b"x"}), "image/jpeg"), UnreadyReason.TWO_KINDS),
        (sample("page.gif", b"GIF89a/*" + b"<script>alert(1)</script>", "image/gif"), UnreadyReason.TWO_KINDS),
        (sample("cut.png", noise[: len(noise) // 2]), UnreadyReason.BROKEN),
        (sample("cut.jpg", photo[: len(photo) // 2], "image/jpeg"), UnreadyReason.BROKEN),
        (sample("empty.png", b""), UnreadyReason.UNKNOWN),
        (sample("text.png", b"this is no picture"), UnreadyReason.UNKNOWN),
        (sample("leads-out.svg", leads_out, "image/svg+xml"), UnreadyReason.BROKEN),
    )


def lottie_bomb() -> bytes:
    """A sticker that unpacks to far more than it is."""
    text = json.dumps(lottie()).encode()
    return archive({"animation/animation.json": text + b" " * (64 << 20)})


def crafted_video() -> bytes:
    """A video whose frames say that they are far larger than the file says."""
    data = clip("avi", video="mjpeg", seconds=0.4, pixels="yuvj420p")
    # Start of frame: the marker, its length, the precision, then height and width.
    parts = data.split(b"\xff\xc0\x00\x11\x08")
    return (b"\xff\xc0\x00\x11\x08").join([parts[0], *(b"\xf0\x00\xf0\x00" + part[4:] for part in parts[1:])])
