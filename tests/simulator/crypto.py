"""Curve25519 with XEdDSA signatures, HKDF, and the AES modes WhatsApp uses."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl import bindings

_PRIME: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
KEY_TYPE: Final = b"\x05"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A Curve25519 key pair that can agree and sign."""

    private: bytes
    public: bytes

    @classmethod
    def generate(cls) -> KeyPair:
        """A fresh random pair."""
        raw = bytearray(os.urandom(32))
        raw[0] &= 248
        raw[31] = raw[31] & 127 | 64
        return cls(bytes(raw), bindings.crypto_scalarmult_base(bytes(raw)))

    def agree(self, public: bytes) -> bytes:
        """The shared secret with another public key."""
        return bindings.crypto_scalarmult(self.private, public)

    def sign(self, message: bytes) -> bytes:
        """XEdDSA as libsignal spells it: the sign of the public key travels in the last byte."""
        scalar = int.from_bytes(self.private, "little")
        edwards = bindings.crypto_scalarmult_ed25519_base_noclamp(self.private)
        nonce = _scalar(b"\xfe" + b"\xff" * 31 + self.private + message + os.urandom(64))
        commitment = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce.to_bytes(32, "little"))
        challenge = _scalar(commitment + edwards + message)
        response = bytearray(((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little"))
        response[31] |= edwards[31] & 0x80
        return commitment + bytes(response)


def is_valid_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """True when the XEdDSA signature fits."""
    if len(public) != 32 or len(signature) != 64:
        return False
    u = int.from_bytes(public, "little") & (2**255 - 1)
    y = bytearray(((u - 1) * pow(u + 1, _PRIME - 2, _PRIME) % _PRIME).to_bytes(32, "little"))
    y[31] |= signature[63] & 0x80
    try:
        Ed25519PublicKey.from_public_bytes(bytes(y)).verify(
            signature[:63] + bytes((signature[63] & 0x7F,)), message
        )
    except InvalidSignature:
        return False
    return True


def hkdf(secret: bytes, salt: bytes | None, info: bytes, size: int) -> bytes:
    """HKDF-SHA256."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    out = block = b""
    counter = 1
    while len(out) < size:
        block = hmac.digest(key, block + info + bytes((counter,)), "sha256")
        out += block
        counter += 1
    return out[:size]


def gcm_encrypt(key: bytes, nonce: bytes, plain: bytes, associated: bytes | None = None) -> bytes:
    """AES-GCM."""
    return AESGCM(key).encrypt(nonce, plain, associated)


def gcm_decrypt(key: bytes, nonce: bytes, sealed: bytes, associated: bytes | None = None) -> bytes:
    """AES-GCM; raises InvalidTag."""
    return AESGCM(key).decrypt(nonce, sealed, associated)


def cbc_encrypt(key: bytes, iv: bytes, plain: bytes) -> bytes:
    """AES-CBC with PKCS#7 padding."""
    pad = 16 - len(plain) % 16
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return cipher.update(plain + bytes((pad,)) * pad) + cipher.finalize()


def cbc_decrypt(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    """AES-CBC with PKCS#7 padding."""
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = cipher.update(sealed) + cipher.finalize()
    return padded[: -padded[-1]]


def ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-CTR, which is its own inverse."""
    cipher = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def _scalar(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % _ORDER
