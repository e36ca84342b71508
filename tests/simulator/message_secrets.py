"""The second layer of encryption, under a message's own secret: votes, hidden reactions, comments, edits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag

from tests.simulator.crypto import gcm_decrypt, gcm_encrypt, hkdf
from tests.simulator.jids import Jid
from tests.simulator.violations import ProtocolViolationError, ViolationKind

_WITH_ASSOCIATED_DATA: Final = ("Poll Vote", "Event Response")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the key depends on: the original message, who acts on it, and what for."""

    secret: bytes
    message_id: str
    sender: Jid
    actor: Jid
    use: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An encrypted payload."""

    payload: bytes
    iv: bytes


def seal(context: Context, plain: bytes) -> Sealed:
    """Encrypt."""
    iv = os.urandom(12)
    return Sealed(payload=gcm_encrypt(_key(context), iv, plain, _associated(context)), iv=iv)


def unseal(context: Context, sealed: Sealed) -> bytes:
    """Decrypt; a violation when the tag is wrong."""
    try:
        return gcm_decrypt(_key(context), sealed.iv, sealed.payload, _associated(context))
    except InvalidTag as error:
        raise ProtocolViolationError(ViolationKind.BAD_MAC, context.use) from error


def _key(context: Context) -> bytes:
    info = f"{context.message_id}{context.sender.bare}{context.actor.bare}{context.use}"
    return hkdf(context.secret, None, info.encode(), 32)


def _associated(context: Context) -> bytes | None:
    if context.use not in _WITH_ASSOCIATED_DATA:
        return None
    return f"{context.message_id}\0{context.actor.bare}".encode()
