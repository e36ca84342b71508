"""One simulated Signal device: identity, prekeys, sessions and sender keys."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.simulator.crypto import KEY_TYPE, KeyPair, hkdf, is_valid_signature
from tests.simulator.signal_protocol.errors import (
    BadMacError,
    ConsumedPrekeyError,
    NoSessionError,
    SignalError,
)
from tests.simulator.signal_protocol.fields import Fields, encode_fields
from tests.simulator.signal_protocol.ratchet import VERSION, Chain, PendingPrekey, Session
from tests.simulator.signal_protocol.sender_keys import SenderKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Prekey:
    """A public one-time prekey."""

    key_id: int
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPrekey:
    """A public prekey signed by the identity."""

    key_id: int
    public: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What somebody needs to start a session."""

    registration_id: int
    identity: bytes
    signed: SignedPrekey
    prekey: Prekey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphertext:
    """An encrypted message and its type on the wire."""

    type: str
    data: bytes


class SignalDevice:
    """Keys and sessions of one device; addresses of others are opaque strings."""

    def __init__(self) -> None:
        self.identity = KeyPair.generate()
        self.registration_id = random.randint(1, 16380)
        self.sender_keys = SenderKeys()
        self._signed = KeyPair.generate()
        self._signature = self.identity.sign(KEY_TYPE + self._signed.public)
        self._prekeys: dict[int, KeyPair] = {}
        self._used_prekeys: dict[int, KeyPair] = {}
        self._next_prekey_id = 1
        self._sessions: dict[str, list[Session]] = {}

    def make_bundle(self) -> Bundle:
        """A bundle with a fresh one-time prekey."""
        key_id = self._next_prekey_id
        self._next_prekey_id += 1
        self._prekeys[key_id] = KeyPair.generate()
        return Bundle(
            registration_id=self.registration_id,
            identity=self.identity.public,
            signed=SignedPrekey(key_id=1, public=self._signed.public, signature=self._signature),
            prekey=Prekey(key_id=key_id, public=self._prekeys[key_id].public),
        )

    def has_session(self, address: str) -> bool:
        """True when a message to this address needs no bundle."""
        return bool(self._sessions.get(address))

    def start_session(self, address: str, bundle: Bundle) -> None:
        """Open a session from somebody's bundle."""
        signed = bundle.signed
        if not is_valid_signature(bundle.identity, KEY_TYPE + signed.public, signed.signature):
            raise BadMacError("signature of the signed prekey")
        base = KeyPair.generate()
        secret = b"\xff" * 32 + self.identity.agree(signed.public)
        secret += base.agree(bundle.identity) + base.agree(signed.public)
        if bundle.prekey:
            secret += base.agree(bundle.prekey.public)
        keys = hkdf(secret, None, b"WhisperText", 64)
        session = Session(
            root=keys[:32],
            ours=KeyPair.generate(),
            send=None,
            local_identity=self.identity.public,
            remote_identity=bundle.identity,
            receive={signed.public: Chain(keys[32:])},
            base_key=base.public,
            pending=PendingPrekey(
                prekey_id=bundle.prekey.key_id if bundle.prekey else None,
                signed_prekey_id=signed.key_id,
                base_public=base.public,
            ),
        )
        session.send = session.ratchet(session.ours, signed.public)
        self._sessions.setdefault(address, []).insert(0, session)

    def forget_sessions(self, *, keep_prekeys: bool = False) -> None:
        """Lose all pairwise sessions; used-up prekeys come back only when told to."""
        self._sessions.clear()
        if keep_prekeys:
            self._prekeys |= self._used_prekeys

    def encrypt(self, address: str, plain: bytes) -> Ciphertext:
        """Encrypt for an address that has a session."""
        if not self.has_session(address):
            raise NoSessionError(address)
        session = self._sessions[address][0]
        message = session.encrypt(_pad(plain))
        if session.pending is None:
            return Ciphertext(type="msg", data=message)
        fields = {
            1: session.pending.prekey_id,
            2: KEY_TYPE + session.pending.base_public,
            3: KEY_TYPE + self.identity.public,
            4: message,
            5: self.registration_id,
            6: session.pending.signed_prekey_id,
        }
        return Ciphertext(type="pkmsg", data=VERSION + encode_fields(fields))

    def decrypt(self, address: str, sealed: Ciphertext) -> bytes:
        """Decrypt a message from an address."""
        if sealed.type == "pkmsg":
            fields = Fields(sealed.data[1:])
            session = self._session_of(address, fields)
            return _unpad(session.decrypt(fields.data(4)))
        return self._decrypt_with_any(address, sealed.data)

    def encrypt_group(self, group: str, plain: bytes) -> bytes:
        """Encrypt for everybody who has our sender key."""
        return self.sender_keys.own(group).encrypt(_pad(plain))

    def decrypt_group(self, group: str, address: str, data: bytes) -> bytes:
        """Decrypt a member's group message."""
        return _unpad(self.sender_keys.decrypt(group, address, data))

    def _session_of(self, address: str, fields: Fields) -> Session:
        base, identity = fields.data(2)[1:], fields.data(3)[1:]
        sessions = self._sessions.setdefault(address, [])
        known = next((s for s in sessions if s.base_key == base), None)
        if known is not None:
            return known
        secret = b"\xff" * 32 + self._signed.agree(identity)
        secret += self.identity.agree(base) + self._signed.agree(base)
        prekey_id = fields.number(1)
        if prekey_id:
            prekey = self._prekeys.pop(prekey_id, None)
            if prekey is None:
                raise ConsumedPrekeyError(f"prekey {prekey_id}")
            self._used_prekeys[prekey_id] = prekey
            secret += prekey.agree(base)
        keys = hkdf(secret, None, b"WhisperText", 64)
        session = Session(
            root=keys[:32],
            ours=self._signed,
            send=Chain(keys[32:]),
            local_identity=self.identity.public,
            remote_identity=identity,
            base_key=base,
        )
        sessions.insert(0, session)
        return session

    def _decrypt_with_any(self, address: str, data: bytes) -> bytes:
        sessions = self._sessions.get(address, [])
        failure: SignalError = NoSessionError(address)
        for index, session in enumerate(list(sessions)):
            try:
                plain = session.decrypt(data)
            except SignalError as error:
                failure = error if isinstance(failure, NoSessionError) else failure
                continue
            sessions.insert(0, sessions.pop(index))
            return _unpad(plain)
        raise failure


def _pad(plain: bytes) -> bytes:
    size = random.randint(1, 15)
    return plain + bytes((size,)) * size


def _unpad(padded: bytes) -> bytes:
    return padded[: -padded[-1]]
