"""Sound: how long, how loud, and voice messages of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from mautrix_whatsapp_py.media.jobs import JobFailed
from mautrix_whatsapp_py.model.media_ready import UnreadyReason

_RATE: Final = 48_000
_FRAME: Final = 960
"""20 ms, as Opus takes them."""
_STRIDE: Final = 8
_BARS: Final = 64
_LOUDEST: Final = 100
_VOICE_BITS: Final = 32_000
_AUDIO_BITS: Final = 128_000
_AAC_FRAME: Final = 1_024


class Loudness:
    """Hears a sound in pieces of 20 ms and draws its bars."""

    def __init__(self) -> None:
        self._levels: list[float] = []
        self.samples = 0

    def hear(self, frame: AudioFrame) -> None:
        """Take in a frame of 16 bit samples, one channel."""
        self.samples += frame.samples
        heard = array("h", bytes(frame.planes[0])[: frame.samples * 2])[::_STRIDE]
        self._levels.append(sum(map(abs, heard)) / max(len(heard), 1))

    @property
    def duration_ms(self) -> int:
        """How long it was."""
        return round(self.samples * 1_000 / _RATE)

    def draw(self) -> bytes:
        """64 bars; the loudest is 100."""
        levels = self._levels
        if not levels:
            return bytes(_BARS)
        bars: list[float] = []
        for bar in range(_BARS):
            first = bar * len(levels) // _BARS
            part = levels[first : max((bar + 1) * len(levels) // _BARS, first + 1)]
            bars.append(sum(part) / len(part))
        peak = max(bars)
        return bytes(round(value / peak * _LOUDEST) for value in bars) if peak >= 1 else bytes(_BARS)


def measure(container: InputContainer) -> Loudness:
    """Listen to the whole sound."""
    loudness = Loudness()
    for frame in _pieces(container, AudioResampler(format="s16", layout="mono", rate=_RATE, frame_size=_FRAME)):
        loudness.hear(frame)
    if not loudness.samples:
        raise JobFailed(UnreadyReason.BROKEN, "silence")
    return loudness


def write_voice(container: InputContainer, folder: Path) -> tuple[Path, Loudness]:
    """A voice message as phones record them: Ogg, Opus, one channel."""
    path, loudness = folder / "voice.ogg", Loudness()
    with av.open(str(path), "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=_RATE, layout="mono")
        stream.bit_rate = _VOICE_BITS
        stream.options = {"application": "voip"}
        resampler = AudioResampler(format="s16", layout="mono", rate=_RATE, frame_size=_FRAME)
        for frame in _pieces(container, resampler):
            loudness.hear(frame)
            # What the source says about time may jump; a voice message has no gaps.
            frame.pts = loudness.samples - frame.samples
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    if not loudness.samples:
        raise JobFailed(UnreadyReason.BROKEN, "silence")
    return path, loudness


def write_aac(container: InputContainer, folder: Path) -> tuple[Path, int]:
    """A sound file that phones play; with its duration in milliseconds."""
    path, samples = folder / "sound.m4a", 0
    with av.open(str(path), "w", format="ipod", options={"movflags": "+faststart"}) as out:
        resampler = AudioResampler(format="fltp", layout="stereo", rate=_RATE, frame_size=_AAC_FRAME)
        stream = out.add_stream("aac", rate=_RATE, layout="stereo")
        stream.bit_rate = _AUDIO_BITS
        for frame in _pieces(container, resampler):
            frame.pts = samples
            samples += frame.samples
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    if not samples:
        raise JobFailed(UnreadyReason.BROKEN, "silence")
    return path, round(samples * 1_000 / _RATE)


def _pieces(container: InputContainer, resampler: AudioResampler) -> Iterator[AudioFrame]:
    if not container.streams.audio:
        raise JobFailed(UnreadyReason.BROKEN, "no sound")
    for frame in container.decode(container.streams.audio[0]):
        frame.pts = None
        yield from resampler.resample(frame)
    yield from resampler.resample(None)
