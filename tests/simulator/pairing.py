"""Linking a companion to a phone, and unlinking it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from dataclasses import dataclass

from tests.simulator.accounts import Account, Device
from tests.simulator.connection import Connection, ConnectionGoneError
from tests.simulator.crypto import KEY_TYPE, is_valid_signature
from tests.simulator.jids import Jid
from tests.simulator.nodes import Node, node
from tests.simulator.protobufs import adv
from tests.simulator.signal_protocol.device import SignedPrekey
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World, now_seconds


class PairingRefusedError(Exception):
    """The phone does not link this companion; it shows the reason, the companion learns nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionKeys:
    """What the phone learns from the QR code or the code exchange."""

    noise_public: bytes
    identity: bytes
    adv_secret: bytes


async def pair(world: World, account: Account, connection: Connection, keys: CompanionKeys) -> Device:
    """Link a companion whose keys the phone has approved."""
    if len(account.devices) >= account.max_companions:
        raise PairingRefusedError(f"{account.max_companions} devices are linked already")
    device = _make_device(account, connection, keys)
    details = adv.ADVDeviceIdentity(
        rawID=random.getrandbits(31), timestamp=now_seconds(), keyIndex=device.number
    ).SerializeToString()
    try:
        answer = await connection.request("md", _pair_success(device, details, keys))
    except ConnectionGoneError as error:
        raise PairingRefusedError("the companion went away") from error
    if answer.get("type") != "result":
        raise PairingRefusedError(f"the companion refused: {answer}")
    device.signed_identity = _check_answer(account, device, details, answer)
    account.next_device += 1
    account.devices[device.number] = device
    world.refs = {ref: c for ref, c in world.refs.items() if c is not connection}
    _announce(world, device, "add")
    await connection.stream_error("515")
    return device


def unlink(world: World, device: Device) -> None:
    """Remove a companion; it is told when it is there."""
    if device.account.devices.pop(device.number, None) is None:
        return
    if device.connection:
        removed = node("conflict", {"type": "device_removed"})
        world.spawn(device.connection.stream_error("401", removed))
    _announce(world, device, "remove")


def device_hash(devices: list[Jid]) -> str:
    """The hash clients compare their device lists with."""
    raw = "".join(sorted(jid.hash_form for jid in devices)).encode()
    return "2:" + base64.b64encode(hashlib.sha256(raw).digest()[:6]).decode().rstrip("=")


def _make_device(account: Account, connection: Connection, keys: CompanionKeys) -> Device:
    registered = connection.registration.devicePairingData
    if registered.eIdent != keys.identity or connection.static_public != keys.noise_public:
        raise ProtocolViolationError(ViolationKind.BAD_SIGNATURE, "the QR code names other keys than the login")
    signed = SignedPrekey(
        key_id=int.from_bytes(registered.eSkeyID, "big"),
        public=bytes(registered.eSkeyVal),
        signature=bytes(registered.eSkeySig),
    )
    if not is_valid_signature(keys.identity, KEY_TYPE + signed.public, signed.signature):
        raise ProtocolViolationError(ViolationKind.BAD_SIGNATURE, "signed prekey in the registration")
    return Device(
        account=account,
        number=account.next_device,
        noise_public=keys.noise_public,
        identity=keys.identity,
        registration_id=int.from_bytes(registered.eRegid, "big"),
        signed_prekey=signed,
        props=bytes(registered.deviceProps),
    )


def _pair_success(device: Device, details: bytes, keys: CompanionKeys) -> Node:
    account = device.account
    phone = account.phone.signal.identity
    signed = adv.ADVSignedDeviceIdentity(
        details=details,
        accountSignatureKey=phone.public,
        accountSignature=phone.sign(b"\x06\x00" + details + keys.identity),
    ).SerializeToString()
    sealed = adv.ADVSignedDeviceIdentityHMAC(
        details=signed, HMAC=hmac.digest(keys.adv_secret, signed, "sha256")
    ).SerializeToString()
    children = [
        node("device-identity", {}, sealed),
        node("biz", {"name": account.business_name}),
        node("device", {"jid": device.pn, "lid": device.lid}),
        node("platform", {"name": "android"}),
    ]
    return node("pair-success", {}, children)


def _check_answer(account: Account, device: Device, details: bytes, answer: Node) -> bytes:
    raw = answer.require_child("pair-device-sign", "device-identity").data
    signed = adv.ADVSignedDeviceIdentity.FromString(raw)
    phone = account.phone.signal.identity.public
    message = b"\x06\x01" + details + device.identity + phone
    if not is_valid_signature(device.identity, message, signed.deviceSignature):
        raise ProtocolViolationError(ViolationKind.BAD_SIGNATURE, "device signature", str(answer))
    signed.accountSignatureKey = phone
    return bytes(signed.SerializeToString())


def _announce(world: World, device: Device, action: str) -> None:
    account = device.account
    listed = [account.lid.with_device(number) for number in account.device_numbers]
    child = node(action, {"device_hash": device_hash(listed)}, [node("device", {"jid": device.lid})])
    for other in world.accounts:
        for receiver in list(other.devices.values()):
            if receiver is not device and receiver.connection:
                world.deliver(receiver, world.notification(account.lid, "devices", child))
