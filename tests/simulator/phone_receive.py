"""How a phone decrypts, acknowledges, and complains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulator.accounts import Account
from tests.simulator.iq.keys import bundle_nodes
from tests.simulator.jids import BROADCAST, GROUP, Jid
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.outgoing import Received
from tests.simulator.phone_send import resend
from tests.simulator.protobufs import e2e
from tests.simulator.routing.receipts import route_receipt
from tests.simulator.signal_protocol.device import Ciphertext
from tests.simulator.signal_protocol.errors import (
    BadMacError,
    ConsumedPrekeyError,
    DuplicateMessageError,
    NoSessionError,
    SignalError,
)
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import now_seconds

if TYPE_CHECKING:
    from tests.simulator.phone import Phone


def receive(phone: Phone, stanza: Node) -> None:
    """A message, receipt or anything else addressed to the phone."""
    if stanza.tag == "message":
        _receive_message(phone, stanza)
        return
    if stanza.tag == "receipt" and stanza.get("type") == "retry" and stanza.get("id") in phone.sent:
        resend(phone, stanza)
    if stanza.tag == "receipt":
        phone.receipts.put_nowait(stanza)


def ask_retry(phone: Phone, stanza: Node, count: int) -> None:
    """Ask the sender of a message to send it again."""
    bundle = phone.signal.make_bundle()
    asked: dict[str, AttrValue] = {"count": count, "id": stanza.text("id"), "t": stanza.get("t"), "v": "1"}
    registration, *keys = bundle_nodes(bundle)
    attrs: dict[str, AttrValue] = {
        "id": stanza.text("id"),
        "to": stanza.jid("from"),
        "type": "retry",
        "participant": stanza.get("participant"),
    }
    children = [node("retry", asked), registration, node("keys", {}, keys)]
    route_receipt(phone.world, phone.account, 0, node("receipt", attrs, children))


def _receive_message(phone: Phone, stanza: Node) -> None:
    sender = stanza.get_jid("participant") or stanza.jid("from")
    owner = phone.world.accounts.require(sender, stanza)
    for encrypted in stanza.all("enc"):
        try:
            _decrypt(phone, owner, sender, stanza, encrypted)
        except DuplicateMessageError:
            # Only this part was seen before: clients go on with the next, which may say something new.
            phone.duplicates.append(stanza.text("id"))
        except SignalError as error:
            _complain(phone, owner, stanza, error)
            return
    if phone.is_sending_receipts and owner is not phone.account:
        attrs: dict[str, AttrValue] = {"id": stanza.text("id"), "to": stanza.jid("from"), "t": now_seconds()}
        receipt = node("receipt", {**attrs, "participant": stanza.get("participant")})
        route_receipt(phone.world, phone.account, 0, receipt)


def _decrypt(phone: Phone, owner: Account, sender: Jid, stanza: Node, encrypted: Node) -> None:
    address, chat = f"{owner.lid.user}:{sender.device}", str(stanza.jid("from"))
    kind = encrypted.text("type")
    if encrypted.text("v") != "2":
        raise ProtocolViolationError(ViolationKind.MALFORMED_NODE, "unknown encryption version", str(stanza))
    if kind == "skmsg":
        plain = phone.signal.decrypt_group(chat, address, encrypted.data)
    else:
        plain = phone.signal.decrypt(address, Ciphertext(type=kind, data=encrypted.data))
    message = e2e.Message.FromString(plain)
    if message.HasField("senderKeyDistributionMessage"):
        distribution = message.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage
        phone.signal.sender_keys.learn(chat, address, distribution)
        if {field.name for field, _ in message.ListFields()} <= _KEY_ONLY:
            return
    phone.inbox.put_nowait(_received(phone, owner, sender, stanza, message))


_KEY_ONLY = {"senderKeyDistributionMessage", "messageContextInfo"}


def _received(phone: Phone, owner: Account, sender: Jid, stanza: Node, message: object) -> Received:
    origin = stanza.jid("from")
    is_shared = origin.server in (GROUP, BROADCAST)
    return Received(
        message_id=stanza.text("id"),
        chat=origin if is_shared else stanza.get_jid("recipient") or sender.bare,
        sender=sender,
        is_from_me=owner is phone.account,
        stanza=stanza,
        message=message,
    )


def _complain(phone: Phone, owner: Account, stanza: Node, error: SignalError) -> None:
    if not _is_excused(phone, error):
        _record(phone, owner, stanza, error)
    message_id = stanza.text("id")
    count = phone.retries[message_id] = phone.retries.get(message_id, 0) + 1
    if phone.is_asking_for_retries and count <= 4:
        ask_retry(phone, stanza, count)


def _is_excused(phone: Phone, error: SignalError) -> bool:
    # a sender cannot know that the sessions of the old phone are gone
    return phone.was_reinstalled and isinstance(error, NoSessionError | ConsumedPrekeyError)


def _record(phone: Phone, owner: Account, stanza: Node, error: SignalError) -> None:
    match error:
        case ConsumedPrekeyError():
            kind = ViolationKind.CONSUMED_PREKEY
        case BadMacError():
            kind = ViolationKind.BAD_MAC
        case _:
            kind = ViolationKind.UNDECRYPTABLE
    violation = ProtocolViolationError(kind, f"{type(error).__name__}: {error}", str(stanza))
    phone.world.trace.violate(violation, peer=str(owner.pn), stanza=stanza)
