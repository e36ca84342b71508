"""What a file is, by what it begins with; nobody's word for it counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from mautrix_whatsapp_py.media.jobs import JobFailed
from mautrix_whatsapp_py.model.media_ready import UnreadyReason

_HEAD_BYTES: Final = 4_096
_TAIL_BYTES: Final = 65_557
"""A zip archive's directory ends within so much of the end."""


class Family(Enum):
    """Who opens it."""

    PICTURE = auto()
    """Pictures, moving ones included."""
    CLIP = auto()
    """Sound and video."""
    DRAWING = auto()
    """SVG."""
    LOTTIE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """A kind of file and the one reader that is asked to open it."""

    family: Family
    mime_type: str
    reader: str


def _picture(reader: str, mime_type: str) -> Sniffed:
    return Sniffed(family=Family.PICTURE, mime_type=mime_type, reader=reader)


def _clip(reader: str, mime_type: str) -> Sniffed:
    return Sniffed(family=Family.CLIP, mime_type=mime_type, reader=reader)


_SIGNATURES: Final = (
    (rb"\xff\xd8\xff", _picture("JPEG", "image/jpeg")),
    (rb"\x89PNG\r\n\x1a\n", _picture("PNG", "image/png")),
    (rb"GIF8[79]a", _picture("GIF", "image/gif")),
    (rb"RIFF....WEBP", _picture("WEBP", "image/webp")),
    (rb"BM....\0\0\0\0", _picture("BMP", "image/bmp")),
    (rb"II\*\0|MM\0\*", _picture("TIFF", "image/tiff")),
    (rb"....ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)", _picture("HEIF", "image/heic")),
    (rb"....ftypavi[fs]", _picture("AVIF", "image/avif")),
    (rb"....ftypM4[AB] ", _clip("mp4", "audio/mp4")),
    (rb"....ftyp3g", _clip("mp4", "video/3gpp")),
    (rb"....ftypqt  ", _clip("mov", "video/quicktime")),
    (rb"....ftyp", _clip("mp4", "video/mp4")),
    (rb"....(moov|mdat|wide|free)", _clip("mov", "video/quicktime")),
    (rb"\x1aE\xdf\xa3", _clip("matroska", "video/x-matroska")),
    (rb"RIFF....AVI ", _clip("avi", "video/x-msvideo")),
    (rb"RIFF....WAVE", _clip("wav", "audio/wav")),
    (rb"OggS", _clip("ogg", "audio/ogg")),
    (rb"fLaC", _clip("flac", "audio/flac")),
    (rb"#!AMR", _clip("amr", "audio/amr")),
    (rb"FORM....AIF", _clip("aiff", "audio/aiff")),
    (rb"caff", _clip("caf", "audio/x-caf")),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _clip("asf", "video/x-ms-wmv")),
    (rb"FLV\x01", _clip("flv", "video/x-flv")),
    (rb"\x00\x00\x01\xba", _clip("mpeg", "video/mpeg")),
    (rb"G.{187}G.{187}G", _clip("mpegts", "video/mp2t")),
    (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", _clip("mp3", "audio/mpeg")),
    (rb"\xff[\xf0\xf1\xf8\xf9]", _clip("aac", "audio/aac")),
)
_COMPILED: Final = tuple((re.compile(pattern, re.DOTALL), sniffed) for pattern, sniffed in _SIGNATURES)
_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b\x08"
_SVG: Final = re.compile(rb"<svg[\s>]")
_MARKUP: Final = re.compile(rb"<(!doctype html|html|script|\?php)", re.IGNORECASE)
_LOTTIE: Final = Sniffed(family=Family.LOTTIE, mime_type="application/was", reader="lottie")
_DRAWING: Final = Sniffed(family=Family.DRAWING, mime_type="image/svg+xml", reader="svg")


def sniff(path: Path) -> Sniffed | None:
    """What a file is; None when nobody here can read it. JobFailed when it is two things at once."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
        file.seek(max(size - _TAIL_BYTES, 0))
        tail = file.read(_TAIL_BYTES)
    for pattern, sniffed in _COMPILED:
        if pattern.match(head):
            _require_one_kind(head, tail)
            return sniffed
    return _sniff_text(head)


def _sniff_text(head: bytes) -> Sniffed | None:
    if head.startswith((_ZIP, _GZIP)):
        # Which archive it is, its reader finds out.
        return _LOTTIE
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"{") and b'"' in text:
        return _LOTTIE
    if text.startswith(b"<") and _SVG.search(text):
        return _DRAWING
    return None


def _require_one_kind(head: bytes, tail: bytes) -> None:
    end = tail.rfind(b"PK\x05\x06")
    is_archive = (
        end >= 0
        and len(tail) - end >= 22
        and len(tail) - end - 22 == int.from_bytes(tail[end + 20 : end + 22], "little")
    )
    if is_archive or b"%PDF-" in head[4:1_024] or _MARKUP.search(head[4:1_024]):
        raise JobFailed(UnreadyReason.TWO_KINDS)
