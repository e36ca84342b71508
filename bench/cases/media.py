"""Files through the bridge against the bare homeserver: time and memory, bursts, voice messages."""

from __future__ import annotations

import io
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from bench.figures import Figure
from bench.media.crossing import Crossing, Crossings, Payload
from bench.talk.stage import open_chats, stage
from tests.data.media.clips import clip

PHOTO_BYTES = 5_000_000
FILE_BYTES = 100_000_000
PHOTO_ROUNDS = 7
FILE_ROUNDS = 2
BURST = 50
VOICES = 20
MB = 1_000_000


@dataclass(slots=True, kw_only=True)
class Way:
    """What one file took in one direction, round by round, and what the homeserver alone took."""

    bare: list[float] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Times the bare time: the median over rounds that stood side by side."""
        pairs = zip(self.crossings, self.bare, strict=True)
        return statistics.median(crossing.seconds / bare for crossing, bare in pairs)

    def most(self, of: Callable[[Crossing], int]) -> float:
        """Megabytes above idle in the worst round."""
        return max(map(of, self.crossings)) / MB


async def measure() -> Sequence[Figure]:
    """Set up, warm up, measure."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), max_upload="200M") as it:
            await open_chats(it, 1)
            async with it.watched() as watcher:
                crossings = Crossings(it, watcher)
                photo, file, small, voice = _photo(PHOTO_BYTES), _file(), _photo(300_000), _voice()
                # Whatever is slow only the first time is nobody's figure.
                for payload in (small, voice):
                    await crossings.to_whatsapp(payload)
                await crossings.to_matrix(small)
                figures = [
                    *_figures("5 MB photo", *await _both_ways(crossings, photo, PHOTO_ROUNDS)),
                    *_figures("100 MB document", *await _both_ways(crossings, file, FILE_ROUNDS)),
                    await _burst(crossings, small),
                    await _voices(crossings, voice),
                ]
    return figures


async def _both_ways(crossings: Crossings, payload: Payload, rounds: int) -> tuple[Way, Way]:
    there, back = Way(), Way()
    for _ in range(rounds):
        there.bare.append(await crossings.bare_upload(payload))
        there.crossings.append(await crossings.to_matrix(payload))
        back.bare.append(await crossings.bare_download(payload))
        back.crossings.append(await crossings.to_whatsapp(payload))
    return there, back


def _figures(what: str, there: Way, back: Way) -> tuple[Figure, ...]:
    is_large = what.startswith("100")
    return (
        Figure(
            what=f"{what} from WhatsApp to Matrix",
            value=f"{_median(there):.2f} s, {there.ratio:.2f} times the bare upload ({_bare(there):.2f} s)",
            target="" if is_large else "at most 1.3 times",
        ),
        Figure(
            what=f"{what} from Matrix to WhatsApp",
            value=f"{_median(back):.2f} s; the bare download takes {_bare(back):.2f} s",
        ),
        Figure(
            what=f"memory above idle, {what} from WhatsApp",
            value=_memory(there),
            target="bridge and host under 32 MB" if is_large else "",
        ),
        Figure(what=f"memory above idle, {what} to WhatsApp", value=_memory(back)),
    )


def _memory(way: Way) -> str:
    bridge, host = way.most(lambda one: one.bridge_bytes), way.most(lambda one: one.host_bytes)
    return f"bridge {bridge:.0f} MB, host {host:.0f} MB"


async def _burst(crossings: Crossings, photo: Payload) -> Figure:
    bare = sum([await crossings.bare_upload(photo) for _ in range(BURST)])
    crossing = await crossings.to_matrix(photo, BURST)
    return Figure(
        what=f"{BURST} photos of {len(photo.data) / 1000:.0f} kB at once into one chat",
        value=f"{crossing.seconds:.1f} s, in order; {BURST} bare uploads one after another: {bare:.1f} s",
    )


async def _voices(crossings: Crossings, voice: Payload) -> Figure:
    crossing = await crossings.to_whatsapp(voice, VOICES)
    return Figure(
        what=f"{VOICES} voice messages of ten seconds from m4a",
        value=f"{crossing.seconds:.1f} s, from the first sent to the last received",
    )


def _median(way: Way) -> float:
    return statistics.median(crossing.seconds for crossing in way.crossings)


def _bare(way: Way) -> float:
    return statistics.median(way.bare)


def _photo(size_bytes: int) -> Payload:
    """A photo of about this size that needs no conversion."""
    side = 4_000 if size_bytes > MB else 1_200
    noise = Image.effect_noise((side, side * 3 // 4), 60).convert("RGB")
    data = b""
    for quality in range(95, 5, -5):
        out = io.BytesIO()
        noise.save(out, format="JPEG", quality=quality)
        data = out.getvalue()
        if len(data) <= size_bytes:
            break
    # Cameras leave notes behind the picture; these make it as large as it is to be.
    padding = random.Random(1).randbytes(max(size_bytes - len(data), 0))
    return Payload(data=data + padding, mime_type="image/jpeg", name="photo.jpg", msgtype="m.image", kind="image")


def _file() -> Payload:
    data = random.Random(2).randbytes(FILE_BYTES)
    return Payload(data=data, mime_type="application/x-tar", name="a.tar", msgtype="m.file", kind="document")


def _voice() -> Payload:
    return Payload(
        data=clip("ipod", audio="aac", seconds=10),
        mime_type="audio/mp4",
        name="voice.m4a",
        msgtype="m.audio",
        kind="audio",
        more=(("org.matrix.msc3245.voice", {}),),
    )
