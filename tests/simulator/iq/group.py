"""Requests about groups."""

from __future__ import annotations

from tests.simulator import groups
from tests.simulator.accounts import Account
from tests.simulator.connection import Connection
from tests.simulator.groups import Group
from tests.simulator.nodes import Node, node
from tests.simulator.world import World


def on_create(world: World, connection: Connection, iq: Node) -> None:
    """Create a group."""
    account, asked = connection.linked.account, iq.require_child("create")
    people = _people(world, asked, iq)
    group = groups.create_group(world, account, asked.text("subject"), people, key=asked.get_text("key"))
    connection.reply(iq, groups.describe(world, group))


def on_participating(world: World, connection: Connection, iq: Node) -> None:
    """All groups the account is in."""
    account = connection.linked.account
    mine = [groups.describe(world, group) for group in world.groups.values() if group.has(account)]
    connection.reply(iq, node("groups", {}, mine))


def on_leave(world: World, connection: Connection, iq: Node) -> None:
    """Leave one or more groups."""
    account, left = connection.linked.account, []
    for asked in iq.require_child("leave").children:
        group = world.require_group(asked.jid("id"), iq)
        groups.change_members(world, group, account, "remove", [account])
        left.append(node("group", {"id": group.jid}))
    connection.reply(iq, node("leave", {}, left))


def on_query(world: World, connection: Connection, iq: Node) -> None:
    """Everything about one group."""
    group = _visible_group(world, connection, iq)
    if group:
        connection.reply(iq, groups.describe(world, group))


def on_participants(world: World, connection: Connection, iq: Node) -> None:
    """Add, remove, promote or demote members."""
    group = _admin_group(world, connection, iq)
    if group is None:
        return
    action = iq.children[0]
    people = _people(world, action, iq)
    groups.change_members(world, group, connection.linked.account, action.tag, people)
    done = [node("participant", groups.person_attrs(person)) for person in people]
    connection.reply(iq, node(action.tag, {}, done))


def on_subject(world: World, connection: Connection, iq: Node) -> None:
    """Rename a group."""
    group = _admin_group(world, connection, iq, flag="locked")
    if group:
        connection.reply(iq)
        groups.rename(world, group, connection.linked.account, iq.require_child("subject").string)


def on_description(world: World, connection: Connection, iq: Node) -> None:
    """Set or remove the topic."""
    group = _admin_group(world, connection, iq, flag="locked")
    if group is None:
        return
    asked = iq.require_child("description")
    previous = group.topic.topic_id if group.topic else None
    if asked.get("prev") != previous:
        connection.refuse(iq, 409, "conflict")
        return
    connection.reply(iq)
    body = asked.child("body")
    text = body.string if body else None
    groups.set_topic(world, group, connection.linked.account, text, asked.get_text("id"))


def on_flag(world: World, connection: Connection, iq: Node) -> None:
    """Who may write, who may change the group."""
    group = _admin_group(world, connection, iq)
    if group:
        connection.reply(iq)
        groups.set_flag(world, group, connection.linked.account, iq.children[0].tag)


def on_ephemeral(world: World, connection: Connection, iq: Node) -> None:
    """The disappearing timer."""
    group = _admin_group(world, connection, iq, flag="locked")
    if group:
        connection.reply(iq)
        seconds = int(iq.children[0].get_text("expiration") or 0)
        groups.set_ephemeral(world, group, connection.linked.account, seconds)


def on_invite(world: World, connection: Connection, iq: Node) -> None:
    """Invite links: look at one, use one, show ours, make a new one."""
    if not iq.jid("to").user:
        _on_foreign_invite(world, connection, iq)
        return
    group = _admin_group(world, connection, iq)
    if group is None:
        return
    if iq.text("type") == "set":
        groups.reset_invite(world, group, connection.linked.account)
    connection.reply(iq, node("invite", {"code": group.invite}))


def on_accept(world: World, connection: Connection, iq: Node) -> None:
    """Accept an invitation that came as a message."""
    group = world.groups.get(iq.jid("to").user)
    if group is None or iq.require_child("accept").text("code") != group.invite:
        connection.refuse(iq, 406, "not-acceptable")
        return
    connection.reply(iq)
    groups.change_members(world, group, connection.linked.account, "add", [connection.linked.account])


def _on_foreign_invite(world: World, connection: Connection, iq: Node) -> None:
    account, code = connection.linked.account, iq.require_child("invite").text("code")
    group = next((g for g in world.groups.values() if g.invite == code), None)
    if group is None:
        connection.refuse(iq, 406, "not-acceptable")
    elif iq.text("type") == "get":
        connection.reply(iq, groups.describe(world, group))
    elif "membership_approval_mode" in group.flags:
        groups.request_to_join(world, group, account)
        connection.reply(iq, node("membership_approval_request", {"jid": group.jid}))
    else:
        groups.change_members(world, group, account, "add", [account], reason="invite")
        connection.reply(iq, node("group", {"jid": group.jid}))


def _visible_group(world: World, connection: Connection, iq: Node) -> Group | None:
    group = world.groups.get(iq.jid("to").user)
    if group is None:
        connection.refuse(iq, 404, "item-not-found")
        return None
    if not group.has(connection.linked.account):
        connection.refuse(iq, 403, "forbidden")
        return None
    return group


def _admin_group(world: World, connection: Connection, iq: Node, *, flag: str | None = None) -> Group | None:
    """The group if the account may change it; a flag limits the right to admins only when it is set."""
    group = _visible_group(world, connection, iq)
    if group is None or (flag is not None and flag not in group.flags):
        return group
    if not group.is_admin(connection.linked.account):
        connection.refuse(iq, 403, "forbidden")
        return None
    return group


def _people(world: World, parent: Node, iq: Node) -> list[Account]:
    return [world.accounts.require(p.jid("jid"), iq) for p in parent.all("participant")]
