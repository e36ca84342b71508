"""Files of WhatsApp's, as Matrix clients are told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from PIL import Image

from mautrix_whatsapp_py.media.jobs import ForMatrix, JobFailed
from mautrix_whatsapp_py.media.worker.animations import is_moving, read_lottie, write_webp
from mautrix_whatsapp_py.media.worker.pictures import hash_picture, open_picture, shrink, write_thumbnail
from mautrix_whatsapp_py.media.worker.sniff import Family, Sniffed, sniff
from mautrix_whatsapp_py.media.worker.sounds import measure
from mautrix_whatsapp_py.media.worker.videos import duration_of, open_clip, read_still, video_of, write_gif
from mautrix_whatsapp_py.model.media_ready import ReadyFile, UnreadyReason
from mautrix_whatsapp_py.model.wa_context import WaKind

_MAX_GIF_BYTES: Final = 16 << 20
_THUMBNAIL: Final = (800, 600)
_PICTURES: Final = frozenset({WaKind.IMAGE, WaKind.STICKER})
_VIDEOS: Final = frozenset({WaKind.VIDEO, WaKind.GIF})
_SOUNDS: Final = frozenset({WaKind.AUDIO, WaKind.VOICE})


def make_for_matrix(source: Path, folder: Path, task: ForMatrix) -> ReadyFile:
    """What a file is, with a thumbnail where it can be seen."""
    sniffed = sniff(source)
    if sniffed is None:
        raise JobFailed(UnreadyReason.UNKNOWN)
    match sniffed.family:
        case Family.PICTURE if task.kind in _PICTURES or task.kind is WaKind.DOCUMENT:
            return _look_at_picture(source, folder, sniffed, task.kind)
        case Family.CLIP if task.kind in _SOUNDS:
            return _listen(source, sniffed, task)
        case Family.CLIP if task.kind is WaKind.GIF:
            return _make_gif(source, folder, sniffed)
        case Family.CLIP if task.kind in _VIDEOS or task.kind is WaKind.DOCUMENT:
            return _look_at_video(source, folder, sniffed, task.kind)
        case Family.LOTTIE if task.kind is WaKind.STICKER:
            return _draw(source, folder)
        case _:
            raise JobFailed(UnreadyReason.UNKNOWN)


def _look_at_picture(source: Path, folder: Path, sniffed: Sniffed, kind: WaKind) -> ReadyFile:
    with open_picture(source, sniffed) as picture:
        is_animated = is_moving(picture)
        shrunk = shrink(picture)
    return ReadyFile(
        kind=kind,
        mime_type=sniffed.mime_type,
        width=shrunk.width,
        height=shrunk.height,
        is_animated=is_animated,
        blurhash=hash_picture(shrunk.picture),
        thumbnail=write_thumbnail(shrunk.picture, folder),
    )


def _look_at_video(source: Path, folder: Path, sniffed: Sniffed, kind: WaKind) -> ReadyFile:
    with open_clip(source, sniffed) as container:
        duration_ms = duration_of(container)
        if video_of(container) is None:
            return ReadyFile(kind=kind, mime_type=sniffed.mime_type, duration_ms=duration_ms)
        still = read_still(container, duration_ms)
    return _with_still(still, folder, ReadyFile(kind=kind, mime_type=sniffed.mime_type, duration_ms=duration_ms))


def _make_gif(source: Path, folder: Path, sniffed: Sniffed) -> ReadyFile:
    """A GIF, which all clients play by themselves; too large a one stays the video it is."""
    as_video = _look_at_video(source, folder, sniffed, WaKind.GIF)
    try:
        with open_clip(source, sniffed) as container:
            path = write_gif(container, folder)
    except JobFailed:
        return as_video
    if path.stat().st_size > _MAX_GIF_BYTES:
        return as_video
    with Image.open(path, formats=["GIF"]) as picture:
        width, height = picture.size
    return msgspec.structs.replace(
        as_video, path=str(path), mime_type="image/gif", width=width, height=height, is_animated=True
    )


def _with_still(still: Image.Image, folder: Path, ready: ReadyFile) -> ReadyFile:
    width, height = still.size
    still.thumbnail(_THUMBNAIL)
    thumbnail = write_thumbnail(still, folder)
    return msgspec.structs.replace(
        ready, width=width, height=height, blurhash=hash_picture(still), thumbnail=thumbnail
    )


def _listen(source: Path, sniffed: Sniffed, task: ForMatrix) -> ReadyFile:
    with open_clip(source, sniffed) as container:
        duration_ms = duration_of(container)
        if not task.with_waveform and duration_ms:
            return ReadyFile(kind=task.kind, mime_type=sniffed.mime_type, duration_ms=duration_ms)
        loudness = measure(container)
    return ReadyFile(
        kind=task.kind,
        mime_type=sniffed.mime_type,
        duration_ms=loudness.duration_ms,
        waveform=loudness.draw(),
    )


def _draw(source: Path, folder: Path) -> ReadyFile:
    frames = read_lottie(source)
    path = write_webp(frames, folder)
    first = frames[0].picture
    return ReadyFile(
        path=str(path),
        kind=WaKind.STICKER,
        mime_type="image/webp",
        width=first.width,
        height=first.height,
        is_animated=True,
        blurhash=hash_picture(first),
        thumbnail=write_thumbnail(first, folder),
    )
