"""Files in messages, on either side."""

from __future__ import annotations

from dataclasses import dataclass, field

from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_context import WaContext, WaKind


class WaFile(WaStruct, frozen=True, kw_only=True):
    """Where WhatsApp keeps an encrypted file and what opens it; the size is that of the plain one."""

    direct_path: str
    url: str = ""
    media_key: bytes
    sha256: bytes
    enc_sha256: bytes
    size_bytes: int = 0


class WaMedia(WaStruct, frozen=True, kw_only=True):
    """A file of some kind, with its caption in WhatsApp's own markup."""

    kind: WaKind
    file: WaFile
    mime_type: str = ""
    caption: str = ""
    file_name: str = ""
    width: int = 0
    height: int = 0
    duration_s: int = 0
    waveform: bytes = b""
    """Loudness over time, 0 to 100."""
    thumbnail: bytes | None = None
    is_round: bool = False
    is_animated: bool = False
    is_view_once: bool = False
    context: WaContext = WaContext()


@dataclass(frozen=True, slots=True, kw_only=True)
class MxFileKey:
    """What opens a file of an encrypted room."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MxStoredFile:
    """Where the homeserver keeps a file, and what opens it when it was encrypted."""

    uri: MxUri
    key: MxFileKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MxThumbnail:
    """A small picture of a file."""

    stored: MxStoredFile
    mime_type: str
    size_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MxFile:
    """A file in the homeserver's media store and what is known of it."""

    uri: MxUri
    mime_type: str = ""
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    duration_ms: int = 0
    waveform: tuple[int, ...] = ()
    """Loudness over time, 0 to 1024."""
    key: MxFileKey | None = None
    thumbnail: MxThumbnail | None = None
    blurhash: str = ""
    is_gif: bool = False
    is_animated: bool = False
    is_bare: bool = False
    """Nothing but a file, whatever WhatsApp takes it for: clients had better not open it to show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUnavailable:
    """A file could not be brought over; the sentence says why."""

    sentence: str
    is_passing: bool = False
    """Whether it may come by itself later."""
    may_be_retried: bool = True
    """Whether somebody may ask for another try."""
    is_coming: bool = False
    """Whether it will be later, without anybody's doing."""
