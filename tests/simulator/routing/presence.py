"""Presence, last seen and typing."""

from __future__ import annotations

from tests.simulator.accounts import Account
from tests.simulator.groups import members_of
from tests.simulator.jids import GROUP
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.world import World, now_seconds


def set_presence(world: World, account: Account, *, is_online: bool) -> None:
    """Somebody came or went; those who watch are told."""
    account.is_online = is_online
    if not is_online:
        account.last_seen = now_seconds()
    for watcher in account.watchers:
        world.send_if_active(watcher, presence_node(account))


def presence_node(account: Account) -> Node:
    """What watchers see of an account."""
    attrs: dict[str, AttrValue] = {"from": account.shown}
    if not account.is_online:
        is_hidden = account.privacy["last"] == "none"
        attrs |= {"type": "unavailable", "last": "deny" if is_hidden else account.last_seen}
    return node("presence", attrs)


def route_chatstate(world: World, sender: Account, stanza: Node) -> None:
    """Tell the other side of a chat that somebody types."""
    to = stanza.jid("to")
    attrs: dict[str, AttrValue]
    if to.server == GROUP:
        group = world.require_group(to, stanza)
        people = members_of(world, group)
        attrs = {"from": to, "participant": sender.pn if group.addressing == "pn" else sender.lid}
    else:
        people, attrs = [world.accounts.require(to, stanza)], {"from": sender.shown}
    for account in people:
        if account is not sender:
            world.send_if_active(account, node("chatstate", attrs, stanza.content))
            account.phone.on_chatstate(sender, stanza)
