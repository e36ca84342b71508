"""Encryption of WhatsApp media."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from typing import Final

from tests.simulator.crypto import cbc_decrypt, cbc_encrypt, hkdf
from tests.simulator.violations import ProtocolViolationError, ViolationKind

_INFO: Final = {
    "image": b"WhatsApp Image Keys",
    "sticker": b"WhatsApp Image Keys",
    "video": b"WhatsApp Video Keys",
    "ptv": b"WhatsApp Video Keys",
    "audio": b"WhatsApp Audio Keys",
    "document": b"WhatsApp Document Keys",
    "history": b"WhatsApp History Keys",
    "appstate": b"WhatsApp App State Keys",
    "link": b"WhatsApp Link Thumbnail Keys",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedMedia:
    """An encrypted file and the key that opens it."""

    key: bytes
    blob: bytes


def encrypt_media(data: bytes, kind: str) -> EncryptedMedia:
    """Encrypt with a fresh key."""
    key = os.urandom(32)
    iv, cipher_key, mac_key = _derive(key, kind)
    sealed = cbc_encrypt(cipher_key, iv, data)
    return EncryptedMedia(key=key, blob=sealed + hmac.digest(mac_key, iv + sealed, "sha256")[:10])


def decrypt_media(blob: bytes, key: bytes, kind: str) -> bytes:
    """Decrypt; a violation when the MAC is wrong."""
    iv, cipher_key, mac_key = _derive(key, kind)
    sealed, mac = blob[:-10], blob[-10:]
    if hmac.digest(mac_key, iv + sealed, "sha256")[:10] != mac:
        raise ProtocolViolationError(ViolationKind.BAD_MAC, f"media of kind {kind}")
    return cbc_decrypt(cipher_key, iv, sealed)


def _derive(key: bytes, kind: str) -> tuple[bytes, bytes, bytes]:
    keys = hkdf(key, None, _INFO[kind], 112)
    return keys[:16], keys[16:48], keys[48:80]
