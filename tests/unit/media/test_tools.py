"""Conversion of every kind of file, by the real worker."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import pytest
from PIL import Image

from mautrix_whatsapp_py.errors import ConversionFailed
from mautrix_whatsapp_py.media.jobs import Bounds
from mautrix_whatsapp_py.media.tools import ToolLimits, WorkerTools
from mautrix_whatsapp_py.model.media_ready import ReadyFile, UnreadyReason
from mautrix_whatsapp_py.model.wa_context import WaKind
from tests.data.media import broken
from tests.data.media.clips import clip, loudness, sounds, videos
from tests.data.media.compare import correlation, difference, duration_of
from tests.data.media.pictures import (
    animations,
    clear_quarters,
    moving,
    pictures,
    quarters,
    saved,
    tgs,
    was,
)
from tests.data.media.sample import Sample

MAX_BYTES = 16 << 20


@pytest.fixture(scope="module")
def worker_free() -> Iterator[None]:
    """No worker outlives its tests."""
    yield
    assert not [pid for pid in _children() if "media.worker" in _command(pid)]


def _children() -> list[int]:
    tasks = Path("/proc/self/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.fixture
async def tools(worker_free: None) -> AsyncIterator[WorkerTools]:
    made = WorkerTools()
    yield made
    await made.stop()


async def to_whatsapp(
    tools: WorkerTools, sample: Sample, kind: WaKind, folder: Path, max_bytes: int = MAX_BYTES
) -> tuple[ReadyFile, bytes]:
    """What is sent, and its bytes."""
    source = folder / "source"
    source.write_bytes(sample.data)
    ready = await tools.prepare_for_whatsapp(source, kind, folder, max_bytes=max_bytes)
    return ready, Path(ready.path or source).read_bytes()


async def to_matrix(
    tools: WorkerTools, data: bytes, kind: WaKind, folder: Path, *, with_waveform: bool = False
) -> tuple[ReadyFile, bytes]:
    source = folder / "source"
    source.write_bytes(data)
    ready = await tools.prepare_for_matrix(source, kind, folder, with_waveform=with_waveform)
    return ready, Path(ready.path or source).read_bytes()


async def test_every_picture_becomes_one_that_phones_show(tools: WorkerTools, tmp_path: Path) -> None:
    for sample in pictures():
        ready, data = await to_whatsapp(tools, sample, WaKind.IMAGE, tmp_path)
        picture = Image.open(io.BytesIO(data))
        is_clear = "clear" in sample.name or sample.name.endswith("svg")
        assert ready.kind is WaKind.IMAGE
        assert ready.mime_type in ("image/jpeg", "image/png"), sample.name
        assert Image.MIME[picture.format or ""] == ready.mime_type
        assert (ready.mime_type == "image/png") >= is_clear, sample.name
        if not sample.name.endswith("svg"):
            wanted = clear_quarters() if is_clear else quarters()
            assert difference(picture, wanted) < 6, sample.name
            assert (ready.width, ready.height) == wanted.size
        assert Image.open(io.BytesIO(ready.preview)).format == "JPEG"


async def test_what_phones_show_already_goes_as_it_is(tools: WorkerTools, tmp_path: Path) -> None:
    for sample in pictures()[:4]:
        ready, _ = await to_whatsapp(tools, sample, WaKind.IMAGE, tmp_path)
        assert not ready.path
    film = videos()[0]
    ready, _ = await to_whatsapp(tools, film, WaKind.VIDEO, tmp_path)
    assert not ready.path
    assert (ready.width, ready.height) == (160, 120)
    voice = sounds()[0]
    ready, _ = await to_whatsapp(tools, voice, WaKind.VOICE, tmp_path)
    assert not ready.path


async def test_moving_pictures_become_videos_that_loop(tools: WorkerTools, tmp_path: Path) -> None:
    for sample in animations():
        ready, data = await to_whatsapp(tools, sample, WaKind.IMAGE, tmp_path)
        assert (ready.kind, ready.mime_type) == (WaKind.GIF, "video/mp4")
        assert abs(duration_of(data) - sample.duration_ms) <= 50, sample.name
        assert abs(ready.duration_ms - sample.duration_ms) <= 50
        with av.open(io.BytesIO(data)) as film:
            first = next(film.decode(video=0)).to_image()
        assert difference(first, quarters((160, 120))) < 12


async def test_every_video_becomes_one_that_phones_play(tools: WorkerTools, tmp_path: Path) -> None:
    for sample in videos():
        ready, data = await to_whatsapp(tools, sample, WaKind.VIDEO, tmp_path, 64 << 20)
        assert ready.mime_type == ("video/3gpp" if sample.name.endswith("3gp") else "video/mp4")
        with av.open(io.BytesIO(data)) as film:
            assert film.streams.video[0].codec_context.name == "h264"
            assert {stream.codec_context.name for stream in film.streams.audio} <= {"aac"}
            assert bool(film.streams.audio) == (sample.name != "silent.mp4")
            first = next(film.decode(video=0)).to_image()
        assert difference(first, quarters((160, 120))) < 12, sample.name
        assert abs(duration_of(data) - sample.duration_ms) <= 50, sample.name
        assert abs(ready.duration_ms - sample.duration_ms) <= 50, sample.name
        assert Image.open(io.BytesIO(ready.preview)).size[0] <= 100


async def test_any_sound_becomes_a_voice_message(tools: WorkerTools, tmp_path: Path) -> None:
    for sample in sounds():
        ready, data = await to_whatsapp(tools, sample, WaKind.VOICE, tmp_path)
        assert (ready.kind, ready.mime_type) == (WaKind.VOICE, "audio/ogg; codecs=opus")
        assert data.startswith(b"OggS")
        assert b"OpusHead" in data[:64]
        assert abs(duration_of(data) - sample.duration_ms) <= 50, sample.name
        assert abs(ready.duration_ms - sample.duration_ms) <= 50, sample.name
        assert len(ready.waveform) == 64
        wanted = [loudness(bar + 0.5, 64) for bar in range(64)]
        assert correlation(ready.waveform, wanted) > 0.93, sample.name


async def test_sound_that_phones_do_not_play_becomes_aac(tools: WorkerTools, tmp_path: Path) -> None:
    for sample in sounds():
        ready, data = await to_whatsapp(tools, sample, WaKind.AUDIO, tmp_path)
        assert ready.kind is WaKind.AUDIO
        assert bool(ready.path) == (sample.name.startswith(("take", "voice.webm", "song.wma")))
        assert abs(duration_of(data) - sample.duration_ms) <= 60, sample.name


async def test_anything_that_can_be_seen_becomes_a_sticker(tools: WorkerTools, tmp_path: Path) -> None:
    for sample in (*pictures(), *animations(), Sample(name="x.tgs", mime_type="application/gzip", data=tgs())):
        ready, data = await to_whatsapp(tools, sample, WaKind.STICKER, tmp_path, 1 << 20)
        sticker = Image.open(io.BytesIO(data))
        assert (ready.kind, sticker.format) == (WaKind.STICKER, "WEBP")
        is_moving = sample.name.startswith("moving") or sample.name == "x.tgs"
        assert getattr(sticker, "is_animated", False) == ready.is_animated == is_moving, sample.name
        if sample.name not in ("moving.webp",):
            assert sticker.size == (512, 512), sample.name


async def test_what_is_too_large_is_made_to_fit(tools: WorkerTools, tmp_path: Path) -> None:
    noise = Image.effect_noise((1_200, 900), 90).convert("RGB")
    sample = Sample(name="noise.jpg", mime_type="image/jpeg", data=saved(noise, "JPEG", quality=98))
    ready, data = await to_whatsapp(tools, sample, WaKind.IMAGE, tmp_path, 200_000)
    assert len(data) <= 200_000 < len(sample.data)
    assert (ready.width, ready.height) == Image.open(io.BytesIO(data)).size
    with pytest.raises(ConversionFailed) as failed:
        await to_whatsapp(tools, sample, WaKind.IMAGE, tmp_path, 500)
    assert failed.value.code == UnreadyReason.TOO_LARGE


async def test_matrix_is_told_what_a_file_is(tools: WorkerTools, tmp_path: Path) -> None:
    photo = saved(quarters((1_600, 1_200)), "JPEG", quality=90)
    ready, _ = await to_matrix(tools, photo, WaKind.IMAGE, tmp_path)
    assert (ready.path, ready.width, ready.height) == ("", 1_600, 1_200)
    assert ready.thumbnail is not None
    thumbnail = Image.open(ready.thumbnail.path)
    assert thumbnail.size == (ready.thumbnail.width, ready.thumbnail.height) == (800, 600)
    assert difference(thumbnail, quarters((800, 600))) < 6
    assert len(ready.blurhash) == 28
    turned = next(sample for sample in pictures() if sample.name == "turned.jpg")
    ready, _ = await to_matrix(tools, turned.data, WaKind.IMAGE, tmp_path)
    assert (ready.width, ready.height) == (320, 240)
    film = videos()[0]
    ready, _ = await to_matrix(tools, film.data, WaKind.VIDEO, tmp_path)
    assert (ready.width, ready.height) == (160, 120)
    assert abs(ready.duration_ms - 2_000) <= 50
    assert ready.thumbnail is not None
    assert difference(Image.open(ready.thumbnail.path), quarters((160, 120))) < 12
    voice = sounds()[0]
    ready, _ = await to_matrix(tools, voice.data, WaKind.VOICE, tmp_path, with_waveform=True)
    assert abs(ready.duration_ms - 3_000) <= 50
    assert correlation(ready.waveform, [loudness(bar + 0.5, 64) for bar in range(64)]) > 0.95


async def test_gifs_and_lottie_stickers_move_on_matrix(tools: WorkerTools, tmp_path: Path) -> None:
    ready, data = await to_matrix(tools, clip("mp4", video="libx264"), WaKind.GIF, tmp_path)
    assert ready.mime_type == "image/gif"
    gif = Image.open(io.BytesIO(data))
    assert (gif.info["loop"], gif.size) == (0, (160, 120))
    shown_ms = 0
    for number in range(getattr(gif, "n_frames", 1)):
        gif.seek(number)
        shown_ms += gif.info["duration"]
    assert abs(shown_ms - 2_000) <= 80
    gif.seek(0)
    assert difference(gif.convert("RGB"), quarters((160, 120))) < 16
    ready, data = await to_matrix(tools, was(), WaKind.STICKER, tmp_path)
    sticker = Image.open(io.BytesIO(data))
    assert (ready.mime_type, ready.is_animated, sticker.format) == ("image/webp", True, "WEBP")
    assert getattr(sticker, "n_frames", 1) > 10
    assert sticker.convert("RGBA").getpixel((100, 160)) == pytest.approx((255, 0, 0, 255), abs=12)


async def test_files_that_would_do_harm_are_refused(tools: WorkerTools, tmp_path: Path) -> None:
    for sample, reason in broken.broken_pictures():
        with pytest.raises(ConversionFailed) as failed:
            await to_whatsapp(tools, sample, WaKind.IMAGE, tmp_path)
        assert failed.value.code == reason, sample.name
    with pytest.raises(ConversionFailed):
        await to_matrix(tools, broken.lottie_bomb(), WaKind.STICKER, tmp_path)
    source = tmp_path / "crafted.avi"
    source.write_bytes(broken.crafted_video())
    with pytest.raises(ConversionFailed) as failed:
        await tools.prepare_for_whatsapp(source, WaKind.VIDEO, tmp_path, max_bytes=MAX_BYTES)
    assert failed.value.code in (UnreadyReason.TOO_MANY_PIXELS, UnreadyReason.BROKEN)


async def test_time_and_memory_end(tmp_path: Path, worker_free: None) -> None:
    film = tmp_path / "film.webm"
    film.write_bytes(clip("webm", video="libvpx"))
    hasty = WorkerTools(ToolLimits(slow=Bounds(seconds=0)))
    try:
        with pytest.raises(ConversionFailed) as failed:
            await hasty.prepare_for_whatsapp(film, WaKind.VIDEO, tmp_path, max_bytes=MAX_BYTES)
        assert failed.value.code == UnreadyReason.TOO_SLOW
        assert hasty.worker_pid is not None
    finally:
        await hasty.stop()
    picture = tmp_path / "large.png"
    picture.write_bytes(saved(Image.new("RGB", (6_000, 6_000)), "PNG"))
    poor = WorkerTools(ToolLimits(quick=Bounds(memory_bytes=40 << 20)))
    try:
        with pytest.raises(ConversionFailed) as failed:
            await poor.prepare_for_matrix(picture, WaKind.IMAGE, tmp_path)
        assert failed.value.code in (UnreadyReason.TOO_MUCH_MEMORY, UnreadyReason.CRASHED)
    finally:
        await poor.stop()


async def test_a_worker_that_died_is_replaced(tools: WorkerTools, tmp_path: Path) -> None:
    photo = moving("GIF")
    await to_matrix(tools, photo, WaKind.IMAGE, tmp_path)
    pid = tools.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    asking = asyncio.create_task(to_matrix(tools, photo, WaKind.IMAGE, tmp_path))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    ready, _ = await asking
    assert ready.is_animated
    assert tools.worker_pid not in (None, pid)
