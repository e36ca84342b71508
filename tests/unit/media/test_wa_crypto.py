"""WhatsApp's files: decrypted as they come, in pieces of any size, and refused when a byte is wrong."""

from __future__ import annotations

import hashlib

import pytest

from mautrix_whatsapp_py.media.wa_crypto import BrokenFile, WaDecryptor
from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa_context import WaKind
from tests.simulator.media_crypto import EncryptedMedia, encrypt_media


def _sealed(data: bytes) -> tuple[EncryptedMedia, WaFile]:
    media = encrypt_media(data, "image")
    file = WaFile(
        direct_path="/v/file",
        media_key=media.key,
        sha256=hashlib.sha256(data).digest(),
        enc_sha256=hashlib.sha256(media.blob).digest(),
        size_bytes=len(data),
    )
    return media, file


def _open(blob: bytes, file: WaFile, piece: int) -> bytes:
    decryptor = WaDecryptor(file, WaKind.IMAGE)
    plain = b"".join(decryptor.update(blob[at : at + piece]) for at in range(0, len(blob), piece))
    return plain + decryptor.finish()


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4_096, 100_001])
@pytest.mark.parametrize("piece", [1_000, 7, 65_536])
def test_any_size_in_any_pieces(size: int, piece: int) -> None:
    data = bytes(index % 251 for index in range(size))
    media, file = _sealed(data)
    assert _open(media.blob, file, piece) == data


def test_a_truncated_file_is_refused() -> None:
    media, file = _sealed(b"x" * 1_000)
    for length in (0, 5, 10, 500, len(media.blob) - 1):
        with pytest.raises(BrokenFile):
            _open(media.blob[:length], file, 64)


def test_a_changed_byte_is_refused() -> None:
    media, file = _sealed(b"x" * 1_000)
    for at in (0, 500, len(media.blob) - 1):
        blob = bytearray(media.blob)
        blob[at] ^= 1
        with pytest.raises(BrokenFile):
            _open(bytes(blob), file, 64)
