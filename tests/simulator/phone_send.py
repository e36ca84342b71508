"""How a phone encrypts and sends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.simulator.accounts import Account, Device
from tests.simulator.groups import members_of
from tests.simulator.jids import BROADCAST, GROUP, STATUS, Jid
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.outgoing import Outgoing, Sent, make_message_id
from tests.simulator.protobufs import e2e
from tests.simulator.routing.messages import route_message
from tests.simulator.signal_protocol.device import Bundle, Ciphertext, Prekey, SignedPrekey
from tests.simulator.world import now_seconds

if TYPE_CHECKING:
    from tests.simulator.phone import Phone


def send(phone: Phone, to: Jid, outgoing: Outgoing, *, message_id: str | None, at_seconds: int | None) -> str:
    """Encrypt for every device of the recipients and of ourselves, and route."""
    sent_id = message_id or make_message_id()
    phone.sent[sent_id] = Sent(to=to, outgoing=outgoing)
    attrs: dict[str, AttrValue] = {"to": to, "id": sent_id, "type": outgoing.type, "edit": outgoing.edit}
    if at_seconds is not None:
        attrs["t"] = at_seconds
    if to.server == GROUP or to == STATUS:
        people = _audience(phone, to)
        children = _sender_key_parts(phone, to, outgoing, people)
    elif to.server == BROADCAST:
        people = phone.world.broadcast_lists[to.user]
        children = [node("participants", {}, _pairwise_parts(phone, people, outgoing))]
    else:
        recipient = phone.world.accounts.require(to)
        attrs["to"] = recipient.lid
        children = [node("participants", {}, _direct_parts(phone, recipient, outgoing))]
    stanza = node("message", attrs, [*children, *outgoing.extra])
    route_message(phone.world, phone.account, 0, stanza)
    return sent_id


def send_peer(phone: Phone, device: Device, message: Any) -> str:
    """A protocol message to one of our own companions."""
    sent_id = make_message_id()
    attrs: dict[str, AttrValue] = {
        "from": phone.account.lid,
        "id": sent_id,
        "type": "text",
        "category": "peer",
        "t": now_seconds(),
        "notify": phone.account.name,
    }
    encrypted = encrypt_for(phone, phone.account, device.number, message)
    phone.world.deliver(device, node("message", attrs, [encrypted]))
    return sent_id


def resend(phone: Phone, request: Node) -> None:
    """Answer a retry receipt: a new session, the same message."""
    sent = phone.sent[request.text("id")]
    asker: Jid = request.get_jid("participant") or request.jid("from")
    target = phone.world.accounts.require(asker)
    device = target.devices[asker.device]
    bundle = _retry_bundle(request) or device.take_bundle()
    phone.signal.start_session(_address(target, asker.device), bundle)
    attrs: dict[str, AttrValue] = {
        "id": request.text("id"),
        "type": sent.outgoing.type,
        "edit": sent.outgoing.edit,
        "t": now_seconds(),
        "notify": phone.account.name,
    }
    message = sent.outgoing.message
    if sent.to.server == GROUP or sent.to == STATUS:
        group = phone.world.groups.get(sent.to.user)
        mode = group.addressing if group else "lid"
        attrs |= {"from": sent.to, **phone.account.participant_attrs(0, mode)}
        message = _with_sender_key(phone, sent.to, message)
    elif target is phone.account:
        attrs |= {"from": phone.account.lid, "recipient": sent.to}
        message = _device_sent(phone.world.accounts.require(sent.to), message)
    else:
        attrs |= phone.account.sender_attrs(0)
    count = request.require_child("retry").get("count")
    encrypted = encrypt_for(phone, target, asker.device, message, count=count)
    phone.world.deliver(device, node("message", attrs, [encrypted]))


def encrypt_for(phone: Phone, target: Account, device: int, message: Any, **attrs: AttrValue) -> Node:
    """The ciphertext for one device, garbled when the phone was told to."""
    address = _address(target, device)
    if not phone.signal.has_session(address):
        owner = target.devices.get(device)
        bundle = owner.take_bundle() if owner else target.phone.signal.make_bundle()
        phone.signal.start_session(address, bundle)
    sealed = phone.signal.encrypt(address, message.SerializeToString())
    if phone.corrupt_next and device:
        phone.corrupt_next -= 1
        sealed = Ciphertext(type=sealed.type, data=sealed.data[:-12] + bytes(12))
    return node("enc", {"v": "2", "type": sealed.type, **attrs}, sealed.data)


def _address(target: Account, device: int) -> str:
    return f"{target.lid.user}:{device}"


def _audience(phone: Phone, to: Jid) -> list[Account]:
    if to == STATUS:
        return list(phone.world.accounts)
    return members_of(phone.world, phone.world.groups[to.user])


def _sender_key_parts(phone: Phone, to: Jid, outgoing: Outgoing, people: Iterable[Account]) -> list[Node]:
    distribution = _with_sender_key(phone, to, e2e.Message())
    parts = [
        node("to", {"jid": member.lid.with_device(number)}, [encrypt_for(phone, member, number, distribution)])
        for member in people
        for number in member.device_numbers
        if member is not phone.account or number
    ]
    sealed = phone.signal.encrypt_group(str(to), outgoing.message.SerializeToString())
    attrs: dict[str, AttrValue] = {"v": "2", "type": "skmsg", "mediatype": outgoing.media_type}
    return [node("participants", {}, parts), node("enc", attrs, sealed)]


def _direct_parts(phone: Phone, recipient: Account, outgoing: Outgoing) -> list[Node]:
    own = phone.account
    parts = _pairwise_parts(phone, [] if recipient is own else [recipient], outgoing)
    media = {"mediatype": outgoing.media_type}
    copy = _device_sent(recipient, outgoing.message)
    parts += [
        node("to", {"jid": own.lid.with_device(number)}, [encrypt_for(phone, own, number, copy, **media)])
        for number in own.devices
    ]
    return parts


def _pairwise_parts(phone: Phone, people: Iterable[Account], outgoing: Outgoing) -> list[Node]:
    media = {"mediatype": outgoing.media_type}
    return [
        node(
            "to",
            {"jid": person.lid.with_device(number)},
            [encrypt_for(phone, person, number, outgoing.message, **media)],
        )
        for person in people
        for number in person.device_numbers
    ]


def _with_sender_key(phone: Phone, to: Jid, message: Any) -> Any:
    full = e2e.Message()
    full.CopyFrom(message)
    full.senderKeyDistributionMessage.groupID = str(to)
    distribution = phone.signal.sender_keys.own(str(to)).distribution()
    full.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage = distribution
    return full


def _device_sent(recipient: Account, message: Any) -> Any:
    copy = e2e.Message()
    copy.deviceSentMessage.destinationJID = str(recipient.lid)
    copy.deviceSentMessage.message.CopyFrom(message)
    if message.HasField("messageContextInfo"):
        copy.messageContextInfo.CopyFrom(message.messageContextInfo)
    return copy


def _retry_bundle(request: Node) -> Bundle | None:
    keys = request.child("keys")
    if keys is None:
        return None
    prekey, signed = keys.require_child("key"), keys.require_child("skey")
    return Bundle(
        registration_id=int.from_bytes(request.require_child("registration").data, "big"),
        identity=keys.require_child("identity").data,
        signed=SignedPrekey(
            key_id=_number(signed), public=_value(signed), signature=signed.require_child("signature").data
        ),
        prekey=Prekey(key_id=_number(prekey), public=_value(prekey)),
    )


def _number(parent: Node) -> int:
    return int.from_bytes(parent.require_child("id").data, "big")


def _value(parent: Node) -> bytes:
    return parent.require_child("value").data
