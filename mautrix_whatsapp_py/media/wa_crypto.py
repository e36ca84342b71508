"""WhatsApp's encryption of files, decrypted as they come: one block in memory, whatever the size."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from mautrix_whatsapp_py.model.media import WaFile
from mautrix_whatsapp_py.model.wa_context import WaKind

MAC_BYTES: Final = 10
_BLOCK_BITS: Final = 128
_INFO: Final = {
    WaKind.IMAGE: b"WhatsApp Image Keys",
    WaKind.STICKER: b"WhatsApp Image Keys",
    WaKind.VIDEO: b"WhatsApp Video Keys",
    WaKind.GIF: b"WhatsApp Video Keys",
    WaKind.AUDIO: b"WhatsApp Audio Keys",
    WaKind.VOICE: b"WhatsApp Audio Keys",
    WaKind.DOCUMENT: b"WhatsApp Document Keys",
}


class BrokenFile(Exception):
    """The bytes are not those that were sent."""


class WaDecryptor:
    """Feed it the encrypted file; `finish` raises BrokenFile unless every byte was as it should be.

    What comes out before `finish` is not to be shown to anybody.
    """

    def __init__(self, file: WaFile, kind: WaKind) -> None:
        # Loaded with the first file: 6 MB that an idle bridge need not hold.
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
        from cryptography.hazmat.primitives.padding import PKCS7

        keys = HKDF(hashes.SHA256(), 112, None, _INFO[kind]).derive(file.media_key)
        iv, key, mac_key = keys[:16], keys[16:48], keys[48:80]
        self._file = file
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        self._unpadder = PKCS7(_BLOCK_BITS).unpadder()
        self._mac = hmac.new(mac_key, iv, hashlib.sha256)
        self._sealed, self._plain = hashlib.sha256(), hashlib.sha256()
        self._tail = b""
        self.size_bytes = 0

    def update(self, chunk: bytes) -> bytes:
        """What can be decrypted so far; the last bytes may be the seal and are held back."""
        self._sealed.update(chunk)
        data = self._tail + chunk
        body, self._tail = data[:-MAC_BYTES], data[-MAC_BYTES:]
        self._mac.update(body)
        return self._emit(self._unpadder.update(self._cipher.update(body)))

    def finish(self) -> bytes:
        """The last bytes."""
        if not hmac.compare_digest(self._mac.digest()[:MAC_BYTES], self._tail):
            raise BrokenFile("the seal is not that of the sender")
        try:
            last = self._emit(self._unpadder.update(self._cipher.finalize()) + self._unpadder.finalize())
        except ValueError as error:
            raise BrokenFile("the file ends too early") from error
        if self._file.enc_sha256 and self._sealed.digest() != self._file.enc_sha256:
            raise BrokenFile("not the file that was announced")
        if self._file.sha256 and self._plain.digest() != self._file.sha256:
            raise BrokenFile("not the content that was announced")
        return last

    def _emit(self, plain: bytes) -> bytes:
        self._plain.update(plain)
        self.size_bytes += len(plain)
        return plain
