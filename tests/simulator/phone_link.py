"""How a phone links companions."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from tests.simulator.accounts import Device
from tests.simulator.connection import LinkCode
from tests.simulator.crypto import KeyPair, ctr, gcm_decrypt, hkdf
from tests.simulator.jids import SERVER
from tests.simulator.nodes import Node, node
from tests.simulator.pairing import CompanionKeys, PairingRefusedError, pair
from tests.simulator.violations import ProtocolViolationError, ViolationKind

if TYPE_CHECKING:
    from tests.simulator.phone import Phone

_PBKDF2_ROUNDS = 2 << 16


class WrongCodeError(PairingRefusedError):
    """The code typed on the phone is not the one the companion shows."""


async def scan(phone: Phone, qr: str) -> Device:
    """Read a QR code and approve the companion that shows it."""
    fields = (qr.split("#", 1)[1] if "#" in qr else qr).split(",")
    connection = phone.world.refs.get(fields[0])
    if connection is None:
        raise PairingRefusedError("the QR code has expired")
    noise_public, identity, adv_secret = (base64.b64decode(field) for field in fields[1:4])
    keys = CompanionKeys(noise_public=noise_public, identity=identity, adv_secret=adv_secret)
    return await pair(phone.world, phone.account, connection, keys)


async def enter_code(phone: Phone, code: str) -> Device:
    """Run the primary's side of pairing by code."""
    connection = phone.pending_link
    if connection is None or connection.link_code is None:
        raise PairingRefusedError("no companion is waiting for a code")
    link = connection.link_code
    if link.finished.done():
        raise WrongCodeError("the code was used before")
    code = code.replace("-", "").upper()
    ephemeral = KeyPair.generate()
    companion_ephemeral = _unwrap(_hello(link, "link_code_pairing_wrapped_companion_ephemeral_pub"), code)
    connection.send(_primary_hello(phone, link, _wrap(ephemeral.public, code)))
    async with asyncio.timeout(20):
        finish = await link.finished
    shared = ephemeral.agree(companion_ephemeral)
    identity = finish.require_child("companion_identity_public").data
    bundle = finish.require_child("link_code_pairing_wrapped_key_bundle").data
    random_part = _open_bundle(phone, shared, identity, bundle)
    secret = shared + phone.signal.identity.agree(identity) + random_part
    keys = CompanionKeys(
        noise_public=_hello(link, "companion_server_auth_key_pub"),
        identity=identity,
        adv_secret=hkdf(secret, None, b"adv_secret", 32),
    )
    return await pair(phone.world, phone.account, connection, keys)


def _hello(link: LinkCode, tag: str) -> bytes:
    return link.hello.require_child(tag).data


def _unwrap(wrapped: bytes, code: str) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", code.encode(), wrapped[:32], _PBKDF2_ROUNDS, 32)
    return ctr(key, wrapped[32:48], wrapped[48:80])


def _wrap(public: bytes, code: str) -> bytes:
    salt, iv = os.urandom(32), os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, _PBKDF2_ROUNDS, 32)
    return salt + iv + ctr(key, iv, public)


def _primary_hello(phone: Phone, link: LinkCode, wrapped: bytes) -> Node:
    children = [
        node("link_code_pairing_ref", {}, link.ref),
        node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, wrapped),
        node("primary_identity_pub", {}, phone.signal.identity.public),
    ]
    stage = node("link_code_companion_reg", {"stage": "primary_hello"}, children)
    return phone.world.notification(SERVER, "link_code_companion_reg", stage)


def _open_bundle(phone: Phone, shared: bytes, identity: bytes, bundle: bytes) -> bytes:
    key = hkdf(shared, bundle[:32], b"link_code_pairing_key_bundle_encryption_key", 32)
    try:
        plain = gcm_decrypt(key, bundle[32:44], bundle[44:])
    except InvalidTag as error:
        raise WrongCodeError("the code does not fit") from error
    if plain[:32] != identity or plain[32:64] != phone.signal.identity.public:
        raise ProtocolViolationError(ViolationKind.BAD_SIGNATURE, "key bundle names other identities")
    return plain[64:]
