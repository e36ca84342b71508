"""Server side of Noise_XX_25519_AESGCM_SHA256 as WhatsApp speaks it, and its framing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any, Final

from cryptography.exceptions import InvalidTag

from tests.simulator.crypto import KeyPair, gcm_decrypt, gcm_encrypt, hkdf
from tests.simulator.protobufs import cert, wa6
from tests.simulator.tokens import tokens
from tests.simulator.violations import ProtocolViolationError, ViolationKind

_PATTERN: Final = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
_YEAR_SECONDS: Final = 86400 * 365


def header() -> bytes:
    """The four bytes every connection starts with."""
    return b"WA" + bytes((6, tokens().version))


def frame(data: bytes) -> bytes:
    """Prefix a payload with its length."""
    return len(data).to_bytes(3, "big") + data


class Deframer:
    """Checks the connection header, then yields length-prefixed frames."""

    def __init__(self) -> None:
        self._buffer = b""
        self._has_header = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete now."""
        self._buffer += data
        if not self._has_header and len(self._buffer) >= 4:
            self._check_header(self._buffer[:4])
            self._buffer = self._buffer[4:]
        while self._has_header and len(self._buffer) >= 3:
            end = 3 + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                break
            complete, self._buffer = self._buffer[3:end], self._buffer[end:]
            yield complete

    def _check_header(self, seen: bytes) -> None:
        if seen != header():
            raise ProtocolViolationError(ViolationKind.MALFORMED_NODE, "wrong connection header", seen.hex())
        self._has_header = True


def make_certificate_chain(root: KeyPair, static_public: bytes) -> bytes:
    """A chain from the given root over an intermediate to the server's static key."""
    intermediate = KeyPair.generate()
    outer = _certificate_details(serial=1, issuer=0, key=intermediate.public)
    leaf = _certificate_details(serial=2, issuer=1, key=static_public)
    chain = cert.CertChain()
    chain.intermediate.details, chain.intermediate.signature = outer, root.sign(outer)
    chain.leaf.details, chain.leaf.signature = leaf, intermediate.sign(leaf)
    return bytes(chain.SerializeToString())


def _certificate_details(*, serial: int, issuer: int, key: bytes) -> bytes:
    now = int(time.time())
    details = cert.CertChain.NoiseCertificate.Details(
        serial=serial, issuerSerial=issuer, key=key, notBefore=now - 86400, notAfter=now + _YEAR_SECONDS
    )
    return bytes(details.SerializeToString())


class NoiseServer:
    """One connection's handshake and transport ciphers."""

    def __init__(self, static: KeyPair, certificate_chain: bytes) -> None:
        self._static, self._certificate = static, certificate_chain
        self._hash = self._salt = self._key = _PATTERN
        self._counter = 0
        self._ephemeral = KeyPair.generate()
        self._receive_key = self._send_key = b""
        self._received = self._sent = 0
        self._mix_hash(header())

    def server_hello(self, client_hello: bytes) -> bytes:
        """Answer the client's first message."""
        theirs = bytes(wa6.HandshakeMessage.FromString(client_hello).clientHello.ephemeral)
        if len(theirs) != 32:
            raise ProtocolViolationError(ViolationKind.MALFORMED_NODE, "no ephemeral key", client_hello.hex())
        self._mix_hash(theirs)
        self._mix_hash(self._ephemeral.public)
        self._mix_key(self._ephemeral.agree(theirs))
        static = self._seal_handshake(self._static.public)
        self._mix_key(self._static.agree(theirs))
        out = wa6.HandshakeMessage()
        out.serverHello.ephemeral = self._ephemeral.public
        out.serverHello.static = static
        out.serverHello.payload = self._seal_handshake(self._certificate)
        return bytes(out.SerializeToString())

    def client_finish(self, data: bytes) -> tuple[bytes, Any]:
        """The client's static key and its login payload."""
        finish = wa6.HandshakeMessage.FromString(data).clientFinish
        static = self._open_handshake(finish.static)
        self._mix_key(self._ephemeral.agree(static))
        payload = wa6.ClientPayload.FromString(self._open_handshake(finish.payload))
        keys = hkdf(b"", self._salt, b"", 64)
        self._receive_key, self._send_key = keys[:32], keys[32:]
        return static, payload

    def seal(self, plain: bytes) -> bytes:
        """Encrypt one outgoing frame."""
        self._sent += 1
        return gcm_encrypt(self._send_key, (self._sent - 1).to_bytes(12, "big"), plain)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt one incoming frame; a violation when its tag is wrong."""
        self._received += 1
        return _gcm_open(self._receive_key, (self._received - 1).to_bytes(12, "big"), sealed, None)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix_key(self, secret: bytes) -> None:
        self._counter = 0
        keys = hkdf(secret, self._salt, b"", 64)
        self._salt, self._key = keys[:32], keys[32:]

    def _next_nonce(self) -> bytes:
        self._counter += 1
        return (self._counter - 1).to_bytes(12, "big")

    def _seal_handshake(self, plain: bytes) -> bytes:
        sealed = gcm_encrypt(self._key, self._next_nonce(), plain, self._hash)
        self._mix_hash(sealed)
        return sealed

    def _open_handshake(self, sealed: bytes) -> bytes:
        plain = _gcm_open(self._key, self._next_nonce(), sealed, self._hash)
        self._mix_hash(sealed)
        return plain


def _gcm_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes | None) -> bytes:
    try:
        return gcm_decrypt(key, nonce, sealed, associated)
    except InvalidTag as error:
        raise ProtocolViolationError(ViolationKind.BAD_MAC, "transport frame", sealed.hex()) from error
