"""Encryption of files in encrypted rooms (AES-CTR), as they come: one block in memory, whatever the size."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.model.media import MxFileKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 8
CHANGED: Final = "The file was changed on its way. Send it again."


class MxEncryptor:
    """Feed it a file; afterwards `key` opens what came out."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)
        # The counter half starts at 0: clients whose counter has 64 bits would wrap it elsewhere.
        self._iv = secrets.token_bytes(_NONCE_BYTES) + bytes(_NONCE_BYTES)
        self._cipher = _cipher(self._key, self._iv).encryptor()
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
        self._cipher = _cipher(key.key, key.iv).decryptor()
        self._hash = hashlib.sha256()

    def update(self, chunk: bytes) -> bytes:
        """The same bytes, decrypted; not to be used before `finish`."""
        self._hash.update(chunk)
        return self._cipher.update(chunk)

    def finish(self) -> None:
        """Check that all was as it should be."""
        if not hmac.compare_digest(self._hash.digest(), self._key.sha256):
            raise MediaFailed(CHANGED)


def _cipher(key: bytes, iv: bytes) -> Cipher[modes.CTR]:
    # Loaded with the first file: 6 MB that an idle bridge need not hold.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(key), modes.CTR(iv))
