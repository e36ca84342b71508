"""Files of Matrix users, as phones show them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image

from mautrix_whatsapp_py.media.jobs import ForWhatsApp, JobFailed
from mautrix_whatsapp_py.media.worker.animations import (
    is_moving,
    read_frames,
    read_lottie,
    sticker_frames,
    write_webp,
)
from mautrix_whatsapp_py.media.worker.drawings import rasterise
from mautrix_whatsapp_py.media.worker.pictures import (
    STICKER_SIDE,
    encode_preview,
    open_picture,
    shrink,
    upright,
    write_sticker,
    write_within,
)
from mautrix_whatsapp_py.media.worker.sniff import Family, Sniffed, sniff
from mautrix_whatsapp_py.media.worker.sounds import measure, write_aac, write_voice
from mautrix_whatsapp_py.media.worker.videos import (
    copy_video,
    duration_of,
    is_copyable,
    is_played,
    open_clip,
    read_still,
    video_of,
    write_loop,
    write_video,
)
from mautrix_whatsapp_py.model.media_ready import ReadyFile, UnreadyReason
from mautrix_whatsapp_py.model.wa_context import WaKind

OPUS: Final = "audio/ogg; codecs=opus"
_SHOWN: Final = frozenset({"image/jpeg", "image/png"})
_PLAYED: Final = {
    "amrnb": "audio/amr",
    "aac": "audio/aac",
    "mp3": "audio/mpeg",
    "mp3float": "audio/mpeg",
    "libopencore_amrnb": "audio/amr",
}
_PLAYED_FROM: Final = frozenset({"aac", "mp3", "amr"})


def make_for_whatsapp(source: Path, folder: Path, task: ForWhatsApp) -> ReadyFile:
    """A file that phones show as what is wanted; JobFailed when there is none."""
    sniffed = sniff(source)
    if sniffed is None:
        raise JobFailed(UnreadyReason.UNKNOWN)
    match task.kind:
        case WaKind.IMAGE | WaKind.GIF if sniffed.family is Family.PICTURE:
            return _make_picture(source, folder, sniffed, task)
        case WaKind.IMAGE if sniffed.family is Family.DRAWING:
            return _make_drawing(source, folder, task)
        case WaKind.STICKER:
            return _make_sticker(source, folder, sniffed, task)
        case WaKind.VIDEO | WaKind.GIF if sniffed.family is Family.CLIP:
            return _make_video(source, folder, sniffed, task)
        case WaKind.VOICE if sniffed.family is Family.CLIP:
            return _make_voice(source, folder, sniffed)
        case WaKind.AUDIO if sniffed.family is Family.CLIP:
            return _make_audio(source, folder, sniffed)
        case _:
            raise JobFailed(UnreadyReason.UNKNOWN)


def _make_picture(source: Path, folder: Path, sniffed: Sniffed, task: ForWhatsApp) -> ReadyFile:
    with open_picture(source, sniffed) as picture:
        if is_moving(picture):
            path, first, duration_ms = write_loop(read_frames(picture), folder)
            return _video(WaKind.GIF, path, first, first.size, duration_ms)
        if sniffed.mime_type in _SHOWN and source.stat().st_size <= task.max_bytes:
            shrunk = shrink(picture)
            return ReadyFile(
                kind=WaKind.IMAGE,
                mime_type=sniffed.mime_type,
                width=shrunk.width,
                height=shrunk.height,
                preview=encode_preview(shrunk.picture),
            )
        return _write_picture(upright(picture), folder, task)


def _make_drawing(source: Path, folder: Path, task: ForWhatsApp) -> ReadyFile:
    return _write_picture(rasterise(source), folder, task)


def _write_picture(whole: Image.Image, folder: Path, task: ForWhatsApp) -> ReadyFile:
    path, mime_type = write_within(whole, folder, task.max_bytes)
    with Image.open(path) as written:
        width, height = written.size
    return ReadyFile(
        path=str(path),
        kind=WaKind.IMAGE,
        mime_type=mime_type,
        width=width,
        height=height,
        preview=encode_preview(whole),
    )


def _make_sticker(source: Path, folder: Path, sniffed: Sniffed, task: ForWhatsApp) -> ReadyFile:
    if sniffed.family is Family.LOTTIE:
        path = write_webp(read_lottie(source), folder, side=STICKER_SIDE, max_bytes=task.max_bytes)
        return _sticker(path, is_animated=True)
    if sniffed.family is Family.DRAWING:
        return _sticker(write_sticker(rasterise(source), folder, task.max_bytes), is_animated=False)
    if sniffed.family is not Family.PICTURE:
        raise JobFailed(UnreadyReason.UNKNOWN)
    with open_picture(source, sniffed) as picture:
        is_animated, size = is_moving(picture), source.stat().st_size
        is_square = max(picture.size) <= STICKER_SIDE and picture.width == picture.height
        if sniffed.mime_type == "image/webp" and size <= task.max_bytes and (is_square or is_animated):
            picture.load()
            return ReadyFile(
                kind=WaKind.STICKER,
                mime_type="image/webp",
                width=picture.width,
                height=picture.height,
                is_animated=is_animated,
            )
        if is_animated:
            frames = sticker_frames(picture)
            return _sticker(
                write_webp(frames, folder, side=STICKER_SIDE, max_bytes=task.max_bytes), is_animated=True
            )
        return _sticker(write_sticker(upright(picture), folder, task.max_bytes), is_animated=False)


def _sticker(path: Path, *, is_animated: bool) -> ReadyFile:
    return ReadyFile(
        path=str(path),
        kind=WaKind.STICKER,
        mime_type="image/webp",
        width=STICKER_SIDE,
        height=STICKER_SIDE,
        is_animated=is_animated,
    )


def _make_video(source: Path, folder: Path, sniffed: Sniffed, task: ForWhatsApp) -> ReadyFile:
    with open_clip(source, sniffed) as container:
        if video_of(container) is None:
            raise JobFailed(UnreadyReason.UNKNOWN, "no video")
        if is_played(container, sniffed):
            path, mime_type = None, sniffed.mime_type
        elif is_copyable(container):
            path, mime_type = copy_video(container, folder), "video/mp4"
        else:
            path, mime_type = write_video(container, folder, with_sound=task.kind is WaKind.VIDEO), "video/mp4"
    written = Sniffed(family=Family.CLIP, mime_type=mime_type, reader="mp4")
    with open_clip(path or source, written) as container:
        duration_ms = duration_of(container)
        still = read_still(container, duration_ms)
    size = still.size
    still.thumbnail((400, 400))
    ready = _video(task.kind, path, still, size, duration_ms, mime_type=mime_type)
    if path is not None and path.stat().st_size > task.max_bytes:
        raise JobFailed(UnreadyReason.TOO_LARGE)
    return ready


def _video(
    kind: WaKind,
    path: Path | None,
    still: Image.Image,
    size: tuple[int, int],
    duration_ms: int,
    *,
    mime_type: str = "video/mp4",
) -> ReadyFile:
    return ReadyFile(
        path="" if path is None else str(path),
        kind=kind,
        mime_type=mime_type,
        width=size[0],
        height=size[1],
        duration_ms=duration_ms,
        preview=encode_preview(still),
    )


def _make_voice(source: Path, folder: Path, sniffed: Sniffed) -> ReadyFile:
    with open_clip(source, sniffed) as container:
        codecs = [stream.codec_context.name for stream in container.streams.audio]
        if sniffed.reader == "ogg" and codecs == ["opus"] and video_of(container) is None:
            loudness, path = measure(container), None
        else:
            path, loudness = write_voice(container, folder)
    return ReadyFile(
        path="" if path is None else str(path),
        kind=WaKind.VOICE,
        mime_type=OPUS,
        duration_ms=loudness.duration_ms,
        waveform=loudness.draw(),
    )


def _make_audio(source: Path, folder: Path, sniffed: Sniffed) -> ReadyFile:
    with open_clip(source, sniffed) as container:
        codecs = [stream.codec_context.name for stream in container.streams.audio]
        mime_type = _played_as(sniffed, codecs)
        if mime_type and video_of(container) is None:
            # A bare stream of AAC does not know how long it is.
            is_bare = sniffed.reader == "aac"
            duration_ms = measure(container).duration_ms if is_bare else duration_of(container)
            return ReadyFile(kind=WaKind.AUDIO, mime_type=mime_type, duration_ms=duration_ms)
        path, duration_ms = write_aac(container, folder)
    return ReadyFile(path=str(path), kind=WaKind.AUDIO, mime_type="audio/mp4", duration_ms=duration_ms)


def _played_as(sniffed: Sniffed, codecs: list[str]) -> str:
    """As what phones play it; empty when they do not."""
    if len(codecs) != 1:
        return ""
    if sniffed.reader in ("mp4", "mov"):
        return "audio/mp4" if codecs == ["aac"] else ""
    if sniffed.reader == "ogg":
        return OPUS if codecs == ["opus"] else ""
    return _PLAYED.get(codecs[0], "") if sniffed.reader in _PLAYED_FROM else ""
