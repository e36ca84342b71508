"""Encryption of keys for a backup: m.megolm_backup.v1.curve25519-aes-sha2."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Json = dict[str, Any]
BACKUP_ALGORITHM: Final = "m.megolm_backup.v1.curve25519-aes-sha2"
_MAC_BYTES: Final = 8
_BLOCK_BITS: Final = 128
_PROOF: Final = "net.mautrix_whatsapp_py.proof"
"""Whoever knows the public key can put something into a backup; this only who has the private one."""


class NotOurs(Exception):
    """What is in the backup was not put there by this bridge, or was changed."""


class BackupKey:
    """Opens a backup, and closes it."""

    def __init__(self, private: bytes) -> None:
        self._private = X25519PrivateKey.from_private_bytes(private)
        self._proof_key = _derive(private, b"proof", 32)

    @classmethod
    def generate(cls) -> BackupKey:
        """A new one."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @property
    def private(self) -> bytes:
        """What it is made of."""
        return self._private.private_bytes_raw()

    @property
    def public(self) -> str:
        """What others may know."""
        return encode_base64(_raw(self._private.public_key()))

    def seal(self, data: Json) -> Json:
        """Encrypt what only this key opens."""
        proven = {**data, _PROOF: self._prove(data)}
        ephemeral = X25519PrivateKey.generate()
        aes_key, mac_key, iv = _split(ephemeral.exchange(self._private.public_key()))
        padder = padding.PKCS7(_BLOCK_BITS).padder()
        padded = padder.update(_canonical(proven)) + padder.finalize()
        encryptor = Cipher(algorithms.AES(aes_key), modes.CBC(iv)).encryptor()
        return {
            "ephemeral": encode_base64(_raw(ephemeral.public_key())),
            "ciphertext": encode_base64(encryptor.update(padded) + encryptor.finalize()),
            "mac": encode_base64(_mac(mac_key)),
        }

    def open(self, sealed: Json) -> Json:
        """What `seal` was given; NotOurs when something else sealed it."""
        try:
            ephemeral = X25519PublicKey.from_public_bytes(_decode_base64(sealed["ephemeral"]))
            aes_key, mac_key, iv = _split(self._private.exchange(ephemeral))
            if not hmac.compare_digest(_mac(mac_key), _decode_base64(sealed["mac"])):
                raise NotOurs
            decryptor = Cipher(algorithms.AES(aes_key), modes.CBC(iv)).decryptor()
            padded = decryptor.update(_decode_base64(sealed["ciphertext"])) + decryptor.finalize()
            unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
            data = json.loads(unpadder.update(padded) + unpadder.finalize())
            proof = str(data.pop(_PROOF))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotOurs from error
        if not hmac.compare_digest(proof.encode(), self._prove(data).encode()):
            raise NotOurs
        opened: Json = data
        return opened

    def _prove(self, data: Json) -> str:
        return hmac.new(self._proof_key, _canonical(data), hashlib.sha256).hexdigest()


def encode_base64(data: bytes) -> str:
    """As Matrix has it: without padding."""
    return base64.b64encode(data).decode().rstrip("=")


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _canonical(data: Json) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _split(shared: bytes) -> tuple[bytes, bytes, bytes]:
    derived = _derive(shared, b"", 80)
    return derived[:32], derived[32:64], derived[64:]


def _derive(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=bytes(32), info=info).derive(secret)


def _mac(key: bytes) -> bytes:
    # Of nothing, where the specification once meant the ciphertext: a fault of libolm that everybody keeps.
    return hmac.new(key, b"", hashlib.sha256).digest()[:_MAC_BYTES]
