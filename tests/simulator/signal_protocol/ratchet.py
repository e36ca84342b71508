"""Double ratchet sessions."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

from tests.simulator.crypto import KEY_TYPE, KeyPair, cbc_decrypt, cbc_encrypt, hkdf
from tests.simulator.signal_protocol.errors import BadMacError, DuplicateMessageError, SignalError
from tests.simulator.signal_protocol.fields import Fields, encode_fields

VERSION: Final = b"\x33"
_MAX_SKIPPED: Final = 2000


@dataclass(slots=True)
class Chain:
    """A symmetric ratchet with the seeds of messages that were jumped over."""

    key: bytes
    index: int = 0
    skipped: dict[int, bytes] = field(default_factory=dict)

    def step(self) -> bytes:
        """The next seed."""
        seed = hmac.digest(self.key, b"\1", "sha256")
        self.key = hmac.digest(self.key, b"\2", "sha256")
        self.index += 1
        return seed

    def seed_for(self, counter: int) -> bytes:
        """The seed of one message, in any order, each once."""
        if counter < self.index:
            if counter not in self.skipped:
                raise DuplicateMessageError(f"counter {counter} was used before")
            return self.skipped.pop(counter)
        if counter - self.index > _MAX_SKIPPED:
            raise SignalError("too far in the future")
        while self.index < counter:
            # the seed belongs to the index before the step
            index = self.index
            self.skipped[index] = self.step()
        return self.step()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPrekey:
    """What the first messages repeat until the other side has answered."""

    prekey_id: int | None
    signed_prekey_id: int
    base_public: bytes


@dataclass(slots=True, kw_only=True)
class Session:
    """One pairwise session."""

    root: bytes
    ours: KeyPair
    send: Chain | None
    local_identity: bytes
    remote_identity: bytes
    receive: dict[bytes, Chain] = field(default_factory=dict)
    previous_counter: int = 0
    base_key: bytes = b""
    pending: PendingPrekey | None = None

    def ratchet(self, ours: KeyPair, theirs: bytes) -> Chain:
        """Advance the root key and return the chain that comes out."""
        keys = hkdf(ours.agree(theirs), self.root, b"WhisperRatchet", 64)
        self.root = keys[:32]
        return Chain(keys[32:])

    def encrypt(self, plain: bytes) -> bytes:
        """One ratchet message."""
        if self.send is None:
            raise SignalError("the session has no sending chain yet")
        counter = self.send.index
        key, mac_key, iv = _message_keys(self.send.step())
        fields: dict[int, int | bytes | None] = {
            1: KEY_TYPE + self.ours.public,
            2: counter,
            3: self.previous_counter,
            4: cbc_encrypt(key, iv, plain),
        }
        body = VERSION + encode_fields(fields)
        return body + self._mac(mac_key, self.local_identity, self.remote_identity, body)

    def decrypt(self, data: bytes) -> bytes:
        """The padded plain text; the session is unchanged when that fails."""
        body, mac = data[:-8], data[-8:]
        fields = Fields(body[1:])
        theirs = fields.data(1)[1:]
        before = (self.root, self.ours, self.send, self.previous_counter)
        is_new_chain = theirs not in self.receive
        if is_new_chain:
            self._turn(theirs)
        try:
            key, mac_key, iv = _message_keys(self.receive[theirs].seed_for(fields.number(2)))
            if self._mac(mac_key, self.remote_identity, self.local_identity, body) != mac:
                raise BadMacError("message MAC")
        except SignalError:
            if is_new_chain:
                self.root, self.ours, self.send, self.previous_counter = before
                del self.receive[theirs]
            raise
        self.pending = None
        return cbc_decrypt(key, iv, fields.data(4))

    def _turn(self, theirs: bytes) -> None:
        self.receive[theirs] = self.ratchet(self.ours, theirs)
        self.previous_counter = max((self.send.index if self.send else 0) - 1, 0)
        self.ours = KeyPair.generate()
        self.send = self.ratchet(self.ours, theirs)

    @staticmethod
    def _mac(key: bytes, sender: bytes, receiver: bytes, body: bytes) -> bytes:
        return hmac.digest(key, KEY_TYPE + sender + KEY_TYPE + receiver + body, "sha256")[:8]


def _message_keys(seed: bytes) -> tuple[bytes, bytes, bytes]:
    keys = hkdf(seed, None, b"WhisperMessageKeys", 80)
    return keys[:32], keys[32:64], keys[64:]
