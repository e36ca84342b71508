"""Video: looked at, made into what phones play, made from moving pictures and into them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from mautrix_whatsapp_py.media.jobs import JobFailed
from mautrix_whatsapp_py.media.worker.animations import Frame
from mautrix_whatsapp_py.media.worker.pictures import check_size, flatten
from mautrix_whatsapp_py.media.worker.sniff import Sniffed
from mautrix_whatsapp_py.model.media_ready import UnreadyReason

MAX_SIDE: Final = 1_920
_GIF_SIDE: Final = 480
_GIF_RATE: Final = 15
_MAX_GIF_SECONDS: Final = 20
_RATE: Final = 48_000
_AAC_FRAME: Final = 1_024
_AUDIO_BITS: Final = 128_000
_TICKS: Final = 1_000
_H264: Final = {"preset": "veryfast", "crf": "23", "profile": "main"}
_PLAYED_PIXELS: Final = frozenset({"yuv420p", "yuvj420p"})
_PLAYED_SOUNDS: Final = frozenset({"aac", "mp3", "mp3float"})
_THREADS: Final = 2


def open_clip(path: Path, sniffed: Sniffed) -> InputContainer:
    """Open a file with the one reader that fits; it cannot lead to other files or to the network."""
    options = {"protocol_whitelist": "file"}
    container = av.open(str(path), "r", format=sniffed.reader, options=options, metadata_errors="replace")
    for stream in container.streams.video:
        if not _is_cover(stream):
            check_size(stream.codec_context.width, stream.codec_context.height)
            stream.codec_context.thread_count = _THREADS
    return container


def _is_cover(stream: VideoStream) -> bool:
    """Whether it is the picture on the sleeve of a sound file."""
    return stream.codec_context.name in ("mjpeg", "png") and not stream.average_rate


def video_of(container: InputContainer) -> VideoStream | None:
    """The stream to look at; None when there is only sound."""
    return next((stream for stream in container.streams.video if not _is_cover(stream)), None)


def duration_of(container: InputContainer) -> int:
    """Milliseconds, by the file's own word; 0 when it has none."""
    if container.duration is not None and container.duration > 0:
        return round(container.duration / 1_000)
    stream = next(iter((*container.streams.video, *container.streams.audio)), None)
    if stream is None or stream.duration is None or stream.time_base is None:
        return 0
    return max(round(float(stream.duration * stream.time_base) * 1_000), 0)


def is_played(container: InputContainer, sniffed: Sniffed) -> bool:
    """Whether phones play it as it is."""
    return sniffed.mime_type in ("video/mp4", "video/3gpp") and is_copyable(container)


def is_copyable(container: InputContainer) -> bool:
    """Whether phones would play it, were it in another container."""
    video = video_of(container)
    if video is None or video.codec_context.name != "h264":
        return False
    sounds = {stream.codec_context.name for stream in container.streams.audio}
    return video.codec_context.pix_fmt in _PLAYED_PIXELS and sounds <= _PLAYED_SOUNDS


def read_still(container: InputContainer, duration_ms: int) -> Image.Image:
    """A frame near the beginning, the right way up."""
    video = video_of(container)
    if video is None:
        raise JobFailed(UnreadyReason.BROKEN, "no video")
    if duration_ms > 2_000 and video.time_base:
        # Where that cannot be found, the first frame will do.
        with contextlib.suppress(av.FFmpegError):
            container.seek(int(min(duration_ms / 10, 1_000) / 1_000 / video.time_base), stream=video)
    for frame in container.decode(video):
        picture = frame.to_image()  # type: ignore[no-untyped-call]
        assert isinstance(picture, Image.Image)
        return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
    raise JobFailed(UnreadyReason.BROKEN, "no frame")


def copy_video(container: InputContainer, folder: Path) -> Path:
    """The same streams in an MP4."""
    path, video = folder / "video.mp4", video_of(container)
    assert video is not None
    sources = [video, *container.streams.audio[:1]]
    with _open_mp4(path) as out:
        targets = {source.index: out.add_stream_from_template(source) for source in sources}
        for packet in _timed(container.demux(sources), video):
            packet.stream = targets[packet.stream.index]
            out.mux(packet)
    return path


def _timed(packets: Iterable[Packet[Any]], video: VideoStream) -> Iterator[Packet[Any]]:
    """Packets that all say when they are decoded; some containers leave that open for the first ones."""
    waiting: list[Packet[Any]] = []
    rate = video.average_rate or Fraction(25)
    step = max(int(1 / (rate * (video.time_base or Fraction(1, _TICKS)))), 1)
    for packet in packets:
        if not packet.size:
            continue
        if packet.dts is None:
            waiting.append(packet)
            continue
        if packet.stream.index == video.index:
            for back, early in enumerate(reversed(waiting), 1):
                early.dts = packet.dts - back * step
            yield from waiting
            waiting.clear()
        yield packet


def write_video(container: InputContainer, folder: Path, *, with_sound: bool = True) -> Path:
    """An MP4 that phones play: H.264 and AAC."""
    video = video_of(container)
    if video is None:
        raise JobFailed(UnreadyReason.BROKEN, "no video")
    path = folder / "video.mp4"
    with _open_mp4(path) as out:
        pictures = _Pictures(out, video)
        sounds = _Sounds(out) if with_sound and container.streams.audio else None
        wanted = [video, *container.streams.audio[:1]] if sounds else [video]
        early: list[AudioFrame] = []
        for packet in container.demux(wanted):
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    pictures.take(frame)
                elif isinstance(frame, AudioFrame):
                    early.append(frame)
            if sounds is not None and pictures.is_under_way:
                for heard in early:
                    sounds.take(heard)
                early.clear()
        if sounds is not None:
            sounds.finish()
        pictures.finish()
    return path


class _Pictures:
    """The video stream of a new MP4; scaled and turned as its first frame wants it."""

    def __init__(self, out: OutputContainer, source: VideoStream) -> None:
        rate = source.average_rate or Fraction(25)
        self._out, self._source = out, source
        self._stream = out.add_stream("libx264", rate=rate, options=_H264)
        self._context = _context(self._stream)
        self._context.pix_fmt = "yuv420p"
        self._context.thread_count = _THREADS
        if source.time_base is not None:
            self._context.time_base = source.time_base
        self._graph: Graph | None = None
        self._last: int | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the size of the video is known, before which nothing can be written."""
        return self._graph is not None

    def take(self, frame: VideoFrame) -> None:
        """Encode a frame; those without a time of their own, or from the past, are left out."""
        if frame.pts is None or (self._last is not None and frame.pts <= self._last):
            return
        self._last = frame.pts
        if self._graph is None:
            self._graph = self._start(frame)
        self._graph.push(frame)
        shown = self._graph.pull()
        assert isinstance(shown, VideoFrame)
        # The source's kinds of frames are not for this encoder to repeat.
        shown.pict_type = 0
        self._out.mux(self._stream.encode(shown))

    def _start(self, frame: VideoFrame) -> Graph:
        is_turned = frame.rotation % 180 != 0
        width, height = fit_video(
            *((frame.height, frame.width) if is_turned else (frame.width, frame.height)), MAX_SIDE
        )
        self._context.width, self._context.height = width, height
        turns = {90: ["transpose=cclock"], -90: ["transpose=clock"], 270: ["transpose=clock"]}
        turns |= {180: ["hflip", "vflip"], -180: ["hflip", "vflip"]}
        steps = [*turns.get(frame.rotation, []), f"scale={width}:{height}", "format=yuv420p"]
        return _chain(self._source, frame, steps)

    def finish(self) -> None:
        """Write what the encoder holds back."""
        if self._last is None:
            raise JobFailed(UnreadyReason.BROKEN, "no frame")
        self._out.mux(self._stream.encode(None))


class _Sounds:
    """The sound of a new MP4."""

    def __init__(self, out: OutputContainer) -> None:
        self._out = out
        self._stream = out.add_stream("aac", rate=_RATE, layout="stereo")
        self._stream.bit_rate = _AUDIO_BITS
        self._resampler = AudioResampler(format="fltp", layout="stereo", rate=_RATE, frame_size=_AAC_FRAME)
        self._last: int | None = None

    def take(self, frame: AudioFrame | None) -> None:
        """Encode a frame."""
        for piece in self._resampler.resample(frame):
            if piece.pts is not None and self._last is not None and piece.pts <= self._last:
                piece.pts = self._last + _AAC_FRAME
            self._last = piece.pts if piece.pts is not None else self._last
            self._out.mux(self._stream.encode(piece))

    def finish(self) -> None:
        """Write what is held back."""
        self.take(None)
        self._out.mux(self._stream.encode(None))


def write_loop(frames: Iterable[Frame], folder: Path) -> tuple[Path, Image.Image, int]:
    """A silent MP4 of moving pictures; with its first frame and its duration in milliseconds."""
    path, first, at_ms, last_ms = folder / "loop.mp4", None, 0, 0
    with _open_mp4(path) as out:
        stream = out.add_stream("libx264", rate=_TICKS, options=_H264)
        context = _context(stream)
        context.pix_fmt, context.thread_count = "yuv420p", _THREADS
        context.time_base = Fraction(1, _TICKS)
        for frame in frames:
            picture = flatten(frame.picture)
            if first is None:
                first = picture
                context.width, context.height = fit_video(picture.width, picture.height, MAX_SIDE)
            fitted = picture.resize((context.width, context.height))
            shown = VideoFrame.from_image(fitted)  # type: ignore[no-untyped-call]
            shown.pts, shown.time_base = at_ms, Fraction(1, _TICKS)
            out.mux(stream.encode(shown))
            last_ms, at_ms = frame.shown_ms, at_ms + frame.shown_ms
        if first is None:
            raise JobFailed(UnreadyReason.BROKEN, "no frame")
        for packet in stream.encode(None):
            # Nothing comes after the last picture that would end it.
            packet.duration = packet.duration or last_ms
            out.mux(packet)
    return path, first, at_ms


def write_gif(container: InputContainer, folder: Path) -> Path:
    """A GIF that loops; JobFailed when it is too long for one."""
    video, path = video_of(container), folder / "loop.gif"
    if video is None or duration_of(container) > _MAX_GIF_SECONDS * 1_000:
        raise JobFailed(UnreadyReason.TOO_LARGE)
    graph: Graph | None = None
    width, height = fit_video(video.codec_context.width, video.codec_context.height, _GIF_SIDE)
    with av.open(str(path), "w", format="gif", options={"loop": "0"}) as out:
        stream = out.add_stream("gif", rate=_GIF_RATE)
        context = _context(stream)
        context.width, context.height, context.pix_fmt = width, height, "pal8"
        context.time_base = Fraction(1, _GIF_RATE)
        for frame in container.decode(video):
            if graph is None:
                graph = _palette_graph(video, frame, width, height)
            graph.push(frame)
        if graph is None:
            raise JobFailed(UnreadyReason.BROKEN, "no frame")
        graph.push(None)
        while (shown := _pull(graph)) is not None:
            out.mux(stream.encode(shown))
        out.mux(stream.encode(None))
    return path


def fit_video(width: int, height: int, side: int) -> tuple[int, int]:
    """Sizes of a video within a side; even, as encoders want them."""
    scale = min(1.0, side / max(width, height))
    return max(round(width * scale) // 2 * 2, 2), max(round(height * scale) // 2 * 2, 2)


def _palette_graph(video: VideoStream, frame: VideoFrame, width: int, height: int) -> Graph:
    graph = Graph()
    source = _source(graph, video, frame)
    rate = graph.add("fps", str(_GIF_RATE))
    scale = graph.add("scale", f"{width}:{height}:flags=lanczos")
    split, palette, use = graph.add("split"), graph.add("palettegen"), graph.add("paletteuse")
    sink = graph.add("buffersink")
    source.link_to(rate)
    rate.link_to(scale)
    scale.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _chain(video: VideoStream, frame: VideoFrame, steps: Iterable[str]) -> Graph:
    graph = Graph()
    last = _source(graph, video, frame)
    for step in steps:
        name, _, arguments = step.partition("=")
        following = graph.add(name, arguments or None)
        last.link_to(following)
        last = following
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _source(graph: Graph, video: VideoStream, frame: VideoFrame) -> av.filter.context.FilterContext:
    return graph.add_buffer(
        template=None,
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=video.time_base or Fraction(1, _TICKS),
    )


def _pull(graph: Graph) -> VideoFrame | None:
    try:
        frame = graph.pull()
    except (av.BlockingIOError, av.EOFError):
        return None
    assert isinstance(frame, VideoFrame)
    return frame


def _context(stream: VideoStream) -> VideoCodecContext:
    context = stream.codec_context
    assert isinstance(context, VideoCodecContext)
    return context


def _open_mp4(path: Path) -> OutputContainer:
    # What is needed to begin goes first, so that phones play while they download.
    return av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
