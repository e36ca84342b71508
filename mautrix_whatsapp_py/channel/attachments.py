"""Files that are sent: what they are to WhatsApp, and how they are made to fit."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
from dataclasses import dataclass, replace
from pathlib import Path

from mautrix_whatsapp_py.channel.faults import ChannelFault, FaultKind, not_allowed
from mautrix_whatsapp_py.channel.file_kinds import OPUS, choose_file_kind
from mautrix_whatsapp_py.convert.media import bare_type
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.model.content import WaKind
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.ports import WhatsAppClient

log = logging.getLogger(__name__)

MEGABYTE = 1 << 20
_SHRINKABLE = frozenset({"image/jpeg", "image/png", "image/webp"})
_STEPS = ((2048, 85), (1600, 80), (1280, 70), (1024, 60), (640, 50))
_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file of ours that is to be sent."""

    path: Path
    mime: str
    name: str
    plays_as_gif: bool = False
    is_document: bool = False


def guess_mime(name: str, given: str) -> str:
    """What a file is, by what was said of it or else by its name."""
    if given and bare_type(given) != "application/octet-stream":
        return given
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


async def upload(attachment: Attachment, client: WhatsAppClient, *, max_mb: int, folder: Path) -> WaMedia:
    """Put a file on WhatsApp's servers; ChannelFault says why not."""
    fitting, is_ours = await _fit(attachment, max_mb * MEGABYTE, folder)
    try:
        kind = _kind_of(fitting)
        file = await client.upload_file(fitting.path, kind)
    except (WhatsAppUnavailable, WhatsAppUncertain):
        raise ChannelFault(FaultKind.AWAY, "WhatsApp's media servers could not be reached. Try again.") from None
    except WhatsAppRefused as error:
        log.info("WhatsApp refused a file: %s", error.code)
        raise not_allowed("WhatsApp refused the file.") from None
    finally:
        if is_ours:
            fitting.path.unlink(missing_ok=True)
    mime = OPUS if kind is WaKind.VOICE else fitting.mime
    return WaMedia(kind=kind, file=file, mime_type=mime, file_name=fitting.name)


def _kind_of(attachment: Attachment) -> WaKind:
    if attachment.is_document:
        return WaKind.DOCUMENT
    size_bytes = attachment.path.stat().st_size
    return choose_file_kind(attachment.mime, size_bytes, plays_as_gif=attachment.plays_as_gif)


async def _fit(attachment: Attachment, max_bytes: int, folder: Path) -> tuple[Attachment, bool]:
    """The file, or a smaller picture of it that is ours to delete."""
    if attachment.path.stat().st_size <= max_bytes:
        return attachment, False
    if bare_type(attachment.mime) not in _SHRINKABLE:
        raise _too_large(max_bytes)
    smaller = await asyncio.to_thread(shrink_image, attachment.path, folder, max_bytes)
    if smaller is None:
        raise _too_large(max_bytes)
    name = f"{Path(attachment.name).stem}.jpg"
    return replace(attachment, path=smaller, mime="image/jpeg", name=name), True


def _too_large(max_bytes: int) -> ChannelFault:
    return ChannelFault(
        FaultKind.TOO_LARGE,
        f"The file is larger than {max_bytes // MEGABYTE} MB, the account's outbound_media_max_mb.",
    )


def shrink_image(path: Path, folder: Path, max_bytes: int) -> Path | None:
    """A smaller JPEG of a picture in a file of its own; None when it cannot be made small enough."""
    # Here and not above: few sends need it, and the library takes megabytes.
    from PIL import Image, ImageOps, UnidentifiedImageError

    out = folder / f"{path.name}.small.jpg"
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                return None
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        for side, quality in _STEPS:
            picture.thumbnail((side, side))
            picture.save(out, format="JPEG", quality=quality, optimize=True)
            if out.stat().st_size <= max_bytes:
                return out
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError):
        log.info("a picture could not be made smaller")
    out.unlink(missing_ok=True)
    return None
