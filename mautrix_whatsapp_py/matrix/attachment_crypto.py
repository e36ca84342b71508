"""Encryption of files in encrypted rooms (AES-CTR), as they come: one block in memory, whatever the size."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.model.media import MxFileKey

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 8
CHANGED: Final = "The file was changed on its way. Send it again."


class MxEncryptor:
    """Feed it a file; afterwards `key` opens what came out."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)
        # The counter half starts at 0: clients whose counter has 64 bits would wrap it elsewhere.
        self._iv = secrets.token_bytes(_NONCE_BYTES) + bytes(_NONCE_BYTES)
        self._cipher = Cipher(algorithms.AES(self._key), modes.CTR(self._iv)).encryptor()
        self._hash = hashlib.sha256()

    def update(self, chunk: bytes) -> bytes:
        """The same bytes, encrypted."""
        sealed = self._cipher.update(chunk)
        self._hash.update(sealed)
        return sealed

    @property
    def key(self) -> MxFileKey:
        """What opens the file."""
        return MxFileKey(key=self._key, iv=self._iv, sha256=self._hash.digest())


class MxDecryptor:
    """Feed it an encrypted file; `finish` raises MediaFailed when it was changed on its way."""

    def __init__(self, key: MxFileKey) -> None:
        self._key = key
        self._cipher = Cipher(algorithms.AES(key.key), modes.CTR(key.iv)).decryptor()
        self._hash = hashlib.sha256()

    def update(self, chunk: bytes) -> bytes:
        """The same bytes, decrypted; not to be used before `finish`."""
        self._hash.update(chunk)
        return self._cipher.update(chunk)

    def finish(self) -> None:
        """Check that all was as it should be."""
        if not hmac.compare_digest(self._hash.digest(), self._key.sha256):
            raise MediaFailed(CHANGED)
