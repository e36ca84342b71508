"""Answers of the library to uploads."""

from __future__ import annotations

import re
from typing import Final

from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa_context import WaKind
from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf

_IMAGE, _VIDEO, _AUDIO, _DOCUMENT = range(4)
MEDIA_TYPES: Final = {
    WaKind.IMAGE: _IMAGE,
    WaKind.STICKER: _IMAGE,
    WaKind.VIDEO: _VIDEO,
    WaKind.GIF: _VIDEO,
    WaKind.AUDIO: _AUDIO,
    WaKind.VOICE: _AUDIO,
    WaKind.DOCUMENT: _DOCUMENT,
}
"""The library's numbers; it guesses the type with a MIME library where none is given."""


_STATUS: Final = re.compile(r"status code (\d{3})")
_PASSING: Final = frozenset({"401", "403", "408", "429"})
"""What a new permission to upload, or patience, may heal."""


def decode_upload(body: bytes, protobuf: Protobuf) -> WaFile:
    """Where the file is; a refusal for good is final, other failures may be tried again."""
    answer = protobuf.messages.UploadReturnFunction.FromString(body)
    if answer.Error:
        status = _STATUS.search(answer.Error)
        is_final = status is not None and status[1].startswith("4") and status[1] not in _PASSING
        raise CallFailed("upload-refused" if is_final else "upload-failed", is_final=is_final)
    response = answer.UploadResponse
    return WaFile(
        direct_path=response.DirectPath,
        url=response.url,
        media_key=response.MediaKey,
        sha256=response.FileSHA256,
        enc_sha256=response.FileEncSHA256,
        size_bytes=response.FileLength,
    )
