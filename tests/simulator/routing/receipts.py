"""Receipts: who learns that a message arrived, was read, or must be sent again."""

from __future__ import annotations

from tests.simulator.accounts import Account
from tests.simulator.jids import BROADCAST, GROUP, Jid
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.routing.messages import to_device
from tests.simulator.world import World, now_seconds

_TO_OWN_PHONE = ("peer_msg", "hist_sync", "server-error")
_TELL_OWN_DEVICES = ("read", "played", "read-self", "played-self")


def route_receipt(world: World, sender: Account, device: int, stanza: Node) -> None:
    """Pass on a receipt that one of the sender's devices sent."""
    kind = stanza.get_text("type")
    if kind in _TO_OWN_PHONE and device:
        sender.phone.on_peer_receipt(stanza)
        return
    if kind == "sender":
        return
    base: dict[str, AttrValue] = {
        "id": stanza.text("id"),
        "type": kind,
        "t": stanza.get("t") or now_seconds(),
    }
    attrs = base | _sender_of(world, sender, device, stanza)
    for target in _targets(world, stanza):
        _to_target(world, sender, device, stanza, target, attrs)
    if kind in _TELL_OWN_DEVICES:
        _tell_own_devices(world, sender, device, stanza, base)


def _targets(world: World, stanza: Node) -> list[Account]:
    to, participant = stanza.jid("to"), stanza.get_jid("participant")
    if to.server in (GROUP, BROADCAST):
        return [world.accounts.require(participant, stanza)] if participant else []
    if to.server == "newsletter":
        return []
    return [world.accounts.require(to, stanza)]


def _sender_of(world: World, sender: Account, device: int, stanza: Node) -> dict[str, AttrValue]:
    to = stanza.jid("to")
    if to.server not in (GROUP, BROADCAST):
        attrs = sender.sender_attrs(device)
        attrs.pop("sender_pn", None)
        return {**attrs, "recipient": stanza.get("recipient")}
    group = world.groups.get(to.user)
    is_retry = stanza.get("type") == "retry"
    mode = group.addressing if group else "lid"
    return {"from": to, **sender.participant_attrs(device if is_retry else 0, mode)}


def _to_target(
    world: World, sender: Account, device: int, stanza: Node, target: Account, attrs: dict[str, AttrValue]
) -> None:
    if stanza.get("type") == "retry":
        wanted: Jid = stanza.get_jid("participant") or stanza.jid("to")
        to_device(world, target, wanted.device, node("receipt", dict(attrs), stanza.content))
        return
    for number in target.device_numbers:
        if target is not sender or number != device:
            to_device(world, target, number, node("receipt", dict(attrs), stanza.content))


def _tell_own_devices(
    world: World, sender: Account, device: int, stanza: Node, base: dict[str, AttrValue]
) -> None:
    kind = stanza.text("type").removesuffix("-self") + "-self"
    to = stanza.jid("to")
    attrs: dict[str, AttrValue] = {**base, "type": kind, "participant": stanza.get("participant")}
    if to.server in (GROUP, BROADCAST):
        attrs["from"] = to
    else:
        attrs |= {"from": sender.lid.with_device(device), "recipient": to}
    own = sender.devices.get(device)
    world.deliver_to_account(sender, node("receipt", attrs, stanza.content), skip=own)
