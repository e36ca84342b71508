"""Prekeys: counted, uploaded, handed out once."""

from __future__ import annotations

import hashlib

from tests.simulator.accounts import Account, Device
from tests.simulator.connection import Connection
from tests.simulator.crypto import KEY_TYPE, is_valid_signature
from tests.simulator.jids import SERVER
from tests.simulator.nodes import Node, node
from tests.simulator.signal_protocol.device import Bundle, Prekey, SignedPrekey
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World

_LOW_WATER = 5


def on_count(world: World, connection: Connection, iq: Node) -> None:
    """How many one-time prekeys the server still has."""
    count = len(connection.linked.prekeys)
    # claiming one key instead of none makes the client upload 50 keys, not 812: seconds of its SQLite
    shown = count or (0 if world.faults.is_requesting_all_prekeys else 1)
    connection.reply(iq, node("count", {"value": shown}))


def on_upload(_world: World, connection: Connection, iq: Node) -> None:
    """New prekeys of this device."""
    device = connection.linked
    if iq.require_child("identity").data != device.identity:
        raise ProtocolViolationError(ViolationKind.BAD_SIGNATURE, "identity changed", str(iq))
    device.signed_prekey = _signed_prekey(device, iq.require_child("skey"))
    known = {key.key_id for key in device.prekeys}
    for key in iq.require_child("list").all("key"):
        prekey = Prekey(key_id=_id(key), public=key.require_child("value").data)
        if prekey.key_id not in known:
            device.prekeys.append(prekey)
    device.has_uploaded_prekeys = True
    connection.reply(iq)


def on_rotate(_world: World, connection: Connection, iq: Node) -> None:
    """A new signed prekey."""
    device = connection.linked
    device.signed_prekey = _signed_prekey(device, iq.require_child("rotate", "skey"))
    connection.reply(iq)


def on_fetch(world: World, connection: Connection, iq: Node) -> None:
    """Bundles of other devices."""
    users = []
    for user in iq.require_child("key").all("user"):
        jid = user.jid("jid")
        account = world.accounts.get(jid)
        if account is None or jid.device not in account.device_numbers:
            error = node("error", {"code": 404, "text": "item-not-found"})
            users.append(node("user", {"jid": jid}, [error]))
            continue
        users.append(node("user", {"jid": jid}, _bundle_of(world, account, jid.device)))
    connection.reply(iq, node("list", {}, users))


def on_digest(_world: World, connection: Connection, iq: Node) -> None:
    """What the server holds of this device's keys; not every client asks."""
    device = connection.linked
    if not device.has_uploaded_prekeys:
        connection.refuse(iq, 404, "item-not-found")
        return
    signed = device.signed_prekey
    raw = device.identity + signed.public + signed.signature + b"".join(k.public for k in device.prekeys)
    children = [
        node("registration", {}, device.registration_id.to_bytes(4, "big")),
        node("type", {}, KEY_TYPE),
        node("identity", {}, device.identity),
        _signed_prekey_node(signed),
        node("list", {}, [node("id", {}, k.key_id.to_bytes(3, "big")) for k in device.prekeys]),
        node("hash", {}, hashlib.sha1(raw).digest()),
    ]
    connection.reply(iq, node("digest", {}, children))


def take_bundle(world: World, device: Device) -> Bundle:
    """A bundle for somebody who wants to write; the device is told when few are left."""
    bundle = device.take_bundle()
    if len(device.prekeys) < _LOW_WATER:
        count = node("count", {"value": len(device.prekeys)})
        world.deliver(device, world.notification(SERVER, "encrypt", count))
    return bundle


def bundle_nodes(bundle: Bundle) -> list[Node]:
    """A bundle as it travels."""
    children = [
        node("registration", {}, bundle.registration_id.to_bytes(4, "big")),
        node("type", {}, KEY_TYPE),
        node("identity", {}, bundle.identity),
    ]
    if bundle.prekey:
        value = node("value", {}, bundle.prekey.public)
        children.append(node("key", {}, [node("id", {}, bundle.prekey.key_id.to_bytes(3, "big")), value]))
    return [*children, _signed_prekey_node(bundle.signed)]


def _bundle_of(world: World, account: Account, number: int) -> list[Node]:
    device = account.devices.get(number)
    if device is None:
        return bundle_nodes(account.phone.signal.make_bundle())
    return [*bundle_nodes(take_bundle(world, device)), node("device-identity", {}, device.signed_identity)]


def _signed_prekey(device: Device, skey: Node) -> SignedPrekey:
    signed = SignedPrekey(
        key_id=_id(skey),
        public=skey.require_child("value").data,
        signature=skey.require_child("signature").data,
    )
    if not is_valid_signature(device.identity, KEY_TYPE + signed.public, signed.signature):
        raise ProtocolViolationError(ViolationKind.BAD_SIGNATURE, "signed prekey", str(skey))
    return signed


def _signed_prekey_node(signed: SignedPrekey) -> Node:
    children = [
        node("id", {}, signed.key_id.to_bytes(3, "big")),
        node("value", {}, signed.public),
        node("signature", {}, signed.signature),
    ]
    return node("skey", {}, children)


def _id(parent: Node) -> int:
    return int.from_bytes(parent.require_child("id").data, "big")
