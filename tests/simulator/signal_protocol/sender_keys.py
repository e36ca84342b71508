"""Sender keys: one chain per member and group."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

from tests.simulator.crypto import KEY_TYPE, KeyPair, cbc_decrypt, cbc_encrypt, hkdf, is_valid_signature
from tests.simulator.signal_protocol.errors import BadMacError, NoSessionError
from tests.simulator.signal_protocol.fields import Fields, encode_fields
from tests.simulator.signal_protocol.ratchet import VERSION, Chain


@dataclass(slots=True, kw_only=True)
class OwnSenderKey:
    """The chain this device sends with."""

    key_id: int
    chain: Chain
    signing: KeyPair

    def distribution(self) -> bytes:
        """The message that gives a member the current state of the chain."""
        public = KEY_TYPE + self.signing.public
        return VERSION + encode_fields({1: self.key_id, 2: self.chain.index, 3: self.chain.key, 4: public})

    def encrypt(self, plain: bytes) -> bytes:
        """One signed group message."""
        counter = self.chain.index
        keys = hkdf(self.chain.step(), None, b"WhisperGroup", 48)
        body = VERSION + encode_fields({1: self.key_id, 2: counter, 3: cbc_encrypt(keys[16:], keys[:16], plain)})
        return body + self.signing.sign(body)


@dataclass(slots=True, kw_only=True)
class _PeerSenderKey:
    chain: Chain
    signing_public: bytes


class SenderKeys:
    """All sender keys of one device."""

    def __init__(self) -> None:
        self._own: dict[str, OwnSenderKey] = {}
        self._peers: dict[tuple[str, str], dict[int, _PeerSenderKey]] = {}

    def own(self, group: str) -> OwnSenderKey:
        """The own key of a group, made on first use."""
        if group not in self._own:
            self._own[group] = OwnSenderKey(
                key_id=random.getrandbits(31), chain=Chain(os.urandom(32)), signing=KeyPair.generate()
            )
        return self._own[group]

    def learn(self, group: str, address: str, distribution: bytes) -> None:
        """Remember a member's key."""
        fields = Fields(distribution[1:])
        key = _PeerSenderKey(chain=Chain(fields.data(3), fields.number(2)), signing_public=fields.data(4)[1:])
        self._peers.setdefault((group, address), {})[fields.number(1)] = key

    def decrypt(self, group: str, address: str, data: bytes) -> bytes:
        """The padded plain text of a member's message."""
        body, signature = data[:-64], data[-64:]
        fields = Fields(body[1:])
        key = self._peers.get((group, address), {}).get(fields.number(1))
        if key is None:
            raise NoSessionError(f"no sender key of {address} for {group}")
        if not is_valid_signature(key.signing_public, body, signature):
            raise BadMacError("sender key signature")
        keys = hkdf(key.chain.seed_for(fields.number(2)), None, b"WhisperGroup", 48)
        return cbc_decrypt(keys[16:], keys[:16], fields.data(3))
