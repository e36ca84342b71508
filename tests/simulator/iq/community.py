"""Requests about communities and about people who want to join a group."""

from __future__ import annotations

from tests.simulator import communities, groups
from tests.simulator.connection import Connection
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.world import World


def on_sub_groups(world: World, connection: Connection, iq: Node) -> None:
    """The groups of a community."""
    parent = world.require_group(iq.jid("to"), iq)
    connection.reply(iq, communities.describe_sub_groups(world, parent))


def on_linked_participants(world: World, connection: Connection, iq: Node) -> None:
    """Everybody in any group of a community."""
    parent = world.require_group(iq.jid("to"), iq)
    every = [parent, *communities.sub_groups(world, parent)]
    people = dict.fromkeys(person for group in every for person in groups.members_of(world, group))
    listed = [node("participant", groups.person_attrs(person)) for person in people]
    connection.reply(iq, node("linked_groups_participants", {}, listed))


def on_link(world: World, connection: Connection, iq: Node) -> None:
    """Add groups to a community."""
    parent = world.require_group(iq.jid("to"), iq)
    links = iq.require_child("links", "link")
    for asked in links.all("group"):
        group = world.require_group(asked.jid("jid"), iq)
        communities.link_group(world, parent, group, connection.linked.account)
    connection.reply(iq)


def on_unlink(world: World, connection: Connection, iq: Node) -> None:
    """Take groups out of a community."""
    parent = world.require_group(iq.jid("to"), iq)
    for asked in iq.require_child("unlink").all("group"):
        group = world.require_group(asked.jid("jid"), iq)
        communities.unlink_group(world, parent, group, connection.linked.account)
    connection.reply(iq)


def on_membership_requests(world: World, connection: Connection, iq: Node) -> None:
    """Who wants to join."""
    group = world.require_group(iq.jid("to"), iq)
    listed = []
    for user, at in group.join_requests.items():
        attrs: dict[str, AttrValue] = {"jid": world.accounts.by_lid_user(user).lid, "request_time": at}
        listed.append(node("membership_approval_request", attrs))
    connection.reply(iq, node("membership_approval_requests", {}, listed))
