"""Fan-out of messages to every addressed device."""

from __future__ import annotations

from tests.simulator.accounts import Account
from tests.simulator.business import business_node
from tests.simulator.groups import Group, members_of
from tests.simulator.jids import BROADCAST, GROUP, NEWSLETTER, Jid
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World, now_seconds

_PASSED_ON = ("device-identity", "meta", "bot", "biz", "reporting", "verified_name")


def route_message(world: World, sender: Account, device: int, stanza: Node) -> None:
    """Deliver what one of the sender's devices sent."""
    to = stanza.jid("to")
    if sender.business_name and device == 0:
        stanza = Node(stanza.tag, stanza.attrs, [*stanza.children, business_node(sender.business_name)])
    base: dict[str, AttrValue] = {
        "id": stanza.text("id"),
        "type": stanza.text("type"),
        "t": stanza.get("t") or now_seconds(),
        "notify": sender.name,
        "edit": stanza.get("edit"),
    }
    if stanza.get("category") == "peer":
        _to_own_phone(sender, device, stanza, base)
    elif _is_resend(stanza, to):
        _resend(world, sender, device, stanza, base)
    elif to.server == GROUP:
        _to_group(world, sender, device, stanza, base)
    elif to.server == BROADCAST:
        _to_broadcast(world, sender, device, stanza, base)
    elif to.server == NEWSLETTER:
        raise ProtocolViolationError(ViolationKind.UNKNOWN_CHAT, str(to), str(stanza))
    else:
        _to_people(world, sender, device, stanza, base)


def to_device(world: World, account: Account, device: int, stanza: Node) -> None:
    """Hand a stanza to the phone or to one companion; one that was unlinked gets nothing."""
    if device == 0:
        account.phone.receive(stanza)
    elif device in account.devices:
        world.deliver(account.devices[device], stanza)


def encrypted_parts(stanza: Node) -> dict[Jid, Node]:
    """The ciphertext for each addressed device."""
    participants = stanza.child("participants")
    if participants is None:
        return {}
    return {to.jid("jid"): to.require_child("enc") for to in participants.all("to")}


def _is_resend(stanza: Node, to: Jid) -> bool:
    # a group message without participants is an ordinary one: the sender key was distributed before
    has_single = bool(stanza.all("enc")) and stanza.child("participants") is None
    return has_single and (to.server != GROUP or stanza.get("participant") is not None)


def _passed_on(stanza: Node) -> list[Node]:
    return [child for child in stanza.children if child.tag in _PASSED_ON]


def _to_own_phone(sender: Account, device: int, stanza: Node, base: dict[str, AttrValue]) -> None:
    attrs: dict[str, AttrValue] = {**base, "from": sender.lid.with_device(device), "category": "peer"}
    sender.phone.receive(node("message", attrs, stanza.all("enc") + _passed_on(stanza)))


def _resend(world: World, sender: Account, device: int, stanza: Node, base: dict[str, AttrValue]) -> None:
    to = stanza.jid("to")
    target = stanza.get_jid("participant") or to
    content = stanza.all("enc") + _passed_on(stanza)
    if to.server == GROUP:
        group = world.require_group(to, stanza)
        attrs = {**base, "from": to, **sender.participant_attrs(device, group.addressing)}
    else:
        attrs = {**base, **sender.sender_attrs(device), "recipient": stanza.get("recipient")}
    to_device(world, world.accounts.require(target, stanza), target.device, node("message", attrs, content))


def _to_group(world: World, sender: Account, device: int, stanza: Node, base: dict[str, AttrValue]) -> None:
    group = world.require_group(stanza.jid("to"), stanza)
    if not group.has(sender):
        raise ProtocolViolationError(ViolationKind.UNKNOWN_CHAT, f"not a member of {group.jid}", str(stanza))
    attrs = {**base, "from": group.jid, **sender.participant_attrs(device, group.addressing)}
    _to_members(world, sender, device, stanza, attrs, members_of(world, group))


def _to_broadcast(world: World, sender: Account, device: int, stanza: Node, base: dict[str, AttrValue]) -> None:
    people = {world.accounts.require(jid, stanza) for jid in encrypted_parts(stanza)}
    attrs = {**base, "from": stanza.jid("to"), **sender.participant_attrs(device, "lid")}
    _to_members(world, sender, device, stanza, attrs, people)


def _to_members(
    world: World,
    sender: Account,
    device: int,
    stanza: Node,
    attrs: dict[str, AttrValue],
    people: set[Account] | list[Account],
) -> None:
    parts = encrypted_parts(stanza)
    shared = stanza.all("enc") + _passed_on(stanza)
    for account in people:
        for number in account.device_numbers:
            if account is sender and number == device:
                continue
            own = parts.get(account.lid.with_device(number)) or parts.get(account.pn.with_device(number))
            content = ([own] if own else []) + shared
            shown = sender.participant_attrs(device, account.group_addressing) if account.group_addressing else {}
            to_device(world, account, number, node("message", {**attrs, **shown}, content))


def _to_people(world: World, sender: Account, device: int, stanza: Node, base: dict[str, AttrValue]) -> None:
    to = stanza.jid("to")
    recipient = world.accounts.require(to, stanza)
    parts = encrypted_parts(stanza)
    if not parts:
        raise ProtocolViolationError(ViolationKind.MISSING_CHILD, "<message> without ciphertext", str(stanza))
    for jid, encrypted in parts.items():
        target = world.accounts.require(jid, stanza)
        if target is sender:
            # both addresses of one kind: with a mixture some clients do not know whom to send the receipt
            own = {"from": sender.lid.with_device(device), "recipient": recipient.lid}
            attrs: dict[str, AttrValue] = {**base, **own, "peer_recipient_pn": recipient.pn}
        elif sender.lid in target.blocked:
            continue
        else:
            attrs = {**base, **sender.sender_attrs(device)}
        to_device(world, target, jid.device, node("message", attrs, [encrypted, *_passed_on(stanza)]))


def group_of(world: World, jid: Jid) -> Group | None:
    """The group at an address or None."""
    return world.groups.get(jid.user) if jid.server == GROUP else None
