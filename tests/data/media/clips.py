"""Video and sound of every format."""

from __future__ import annotations

import io
import math
from array import array
from fractions import Fraction
from functools import cache

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from tests.data.media.pictures import quarters
from tests.data.media.sample import Sample

RATE = 48_000
FPS = 25


def loudness(at: float, whole: float) -> float:
    """How loud the sound is at a time: it swells, and has a pause in the middle."""
    part = at / whole
    return 0.0 if 0.45 < part < 0.55 else 0.1 + 0.8 * part


def sound(seconds: float) -> list[AudioFrame]:
    """A tone that swells."""
    frames: list[AudioFrame] = []
    for start in range(0, int(seconds * RATE), 960):
        count = min(960, int(seconds * RATE) - start)
        values = array(
            "h",
            (
                round(30_000 * loudness(at / RATE, seconds) * math.sin(at * 2 * math.pi * 440 / RATE))
                for at in range(start, start + count)
            ),
        )
        frame = AudioFrame(format="s16", layout="mono", samples=count)
        frame.planes[0].update(values.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        frames.append(frame)
    return frames


def clip(
    container: str,
    *,
    video: str = "",
    audio: str = "",
    seconds: float = 2.0,
    size: tuple[int, int] = (160, 120),
    pixels: str = "yuv420p",
) -> bytes:
    """A film of the quarters with a tone, or one of the two."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        pictures = target.add_stream(video, rate=FPS) if video else None
        tones = target.add_stream(audio, rate=8_000 if "amr" in audio else RATE, layout="mono") if audio else None
        if tones is not None and audio.startswith("wma"):
            tones.bit_rate = 128_000
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = *size, pixels
            pictures.codec_context.bit_rate = 800_000
            for number in range(round(seconds * FPS)):
                frame = VideoFrame.from_image(quarters(size, turn=number // FPS))
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                target.mux(pictures.encode(frame))
            target.mux(pictures.encode(None))
        if tones is not None:
            resampler = av.AudioResampler(
                format=tones.codec_context.format,
                layout="mono",
                rate=tones.codec_context.sample_rate,
                frame_size=tones.codec_context.frame_size or 1_024,
            )
            for piece in (*sound(seconds), None):
                for ready in resampler.resample(piece):
                    target.mux(tones.encode(ready))
            target.mux(tones.encode(None))
    return out.getvalue()


@cache
def videos() -> tuple[Sample, ...]:
    """Everything that is filmed."""

    def sample(name: str, mime_type: str, data: bytes) -> Sample:
        return Sample(name=name, mime_type=mime_type, data=data, duration_ms=2_000)

    return (
        sample("film.mp4", "video/mp4", clip("mp4", video="libx264", audio="aac")),
        sample("silent.mp4", "video/mp4", clip("mp4", video="libx264")),
        sample("hevc.mp4", "video/mp4", clip("mp4", video="libx265", audio="aac")),
        sample("film.mov", "video/quicktime", clip("mov", video="libx264", audio="aac")),
        sample("film.mkv", "video/x-matroska", clip("matroska", video="libx264", audio="libopus")),
        sample("copied.mkv", "video/x-matroska", clip("matroska", video="libx264", audio="aac")),
        sample("film.webm", "video/webm", clip("webm", video="libvpx", audio="libopus")),
        sample("film.avi", "video/x-msvideo", clip("avi", video="mpeg4", audio="libmp3lame")),
        sample("film.wmv", "video/x-ms-wmv", clip("asf", video="wmv2", audio="wmav2")),
        sample("film.flv", "video/x-flv", clip("flv", video="flv1", audio="libmp3lame")),
        sample("film.mpg", "video/mpeg", clip("mpeg", video="mpeg1video", audio="mp2")),
        sample("film.ts", "video/mp2t", clip("mpegts", video="mpeg2video", audio="mp2")),
        sample("film.3gp", "video/3gpp", clip("3gp", video="libx264", audio="aac")),
    )


@cache
def sounds() -> tuple[Sample, ...]:
    """Everything that is only heard."""

    def sample(name: str, mime_type: str, data: bytes) -> Sample:
        return Sample(name=name, mime_type=mime_type, data=data, duration_ms=3_000)

    return (
        sample("voice.ogg", "audio/ogg", clip("ogg", audio="libopus", seconds=3)),
        sample("memo.m4a", "audio/mp4", clip("ipod", audio="aac", seconds=3)),
        sample("song.mp3", "audio/mpeg", clip("mp3", audio="libmp3lame", seconds=3)),
        sample("take.wav", "audio/wav", clip("wav", audio="pcm_s16le", seconds=3)),
        sample("take.flac", "audio/flac", clip("flac", audio="flac", seconds=3)),
        sample("raw.aac", "audio/aac", clip("adts", audio="aac", seconds=3)),
        sample("voice.webm", "audio/webm", clip("webm", audio="libopus", seconds=3)),
        sample("take.aiff", "audio/aiff", clip("aiff", audio="pcm_s16be", seconds=3)),
        sample("take.caf", "audio/x-caf", clip("caf", audio="alac", seconds=3)),
        sample("song.wma", "audio/x-ms-wma", clip("asf", audio="wmav2", seconds=3)),
        sample("old.amr", "audio/amr", clip("amr", audio="libopencore_amrnb", seconds=3)),
    )
