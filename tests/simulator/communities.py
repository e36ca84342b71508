"""Communities: a parent group, its announcement group and the groups linked to it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulator import groups
from tests.simulator.accounts import Account
from tests.simulator.groups import Group
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.world import World


def create_community(world: World, creator: Account, subject: str, members: Sequence[Account] = ()) -> Group:
    """Create a community with its announcement group; returns the parent."""
    parent = groups.make_group(world, creator, subject, members)
    parent.is_community = True
    announcements = groups.make_group(world, creator, subject, members)
    announcements.parent, announcements.is_announcement_group = parent.jid, True
    announcements.flags.add("announcement")
    groups.announce_creation(world, parent, creator)
    groups.announce_creation(world, announcements, creator)
    return parent


def sub_groups(world: World, parent: Group) -> list[Group]:
    """The announcement group and all linked groups."""
    return [group for group in world.groups.values() if group.parent == parent.jid]


def link_group(world: World, parent: Group, group: Group, actor: Account) -> None:
    """Make a group part of a community."""
    group.parent = parent.jid
    child = node("link", {"link_type": "sub_group"}, [_brief(group)])
    groups.notify(world, parent, actor, child)
    up = node("link", {"link_type": "parent_group"}, [_brief(parent)])
    groups.notify(world, group, actor, up)


def unlink_group(world: World, parent: Group, group: Group, actor: Account) -> None:
    """Take a group out of a community."""
    group.parent = None
    attrs: dict[str, AttrValue] = {"unlink_type": "sub_group", "unlink_reason": "unlink_group"}
    groups.notify(world, parent, actor, node("unlink", attrs, [_brief(group)]))


def describe_sub_groups(world: World, parent: Group) -> Node:
    """The `<sub_groups>` answer."""
    listed = []
    for group in sub_groups(world, parent):
        brief = _brief(group)
        mark = [node("default_sub_group")] if group.is_announcement_group else []
        listed.append(node("group", brief.attrs, mark))
    return node("sub_groups", {}, listed)


def _brief(group: Group) -> Node:
    return node("group", {"jid": group.jid, "id": group.jid.user, "subject": group.subject, "s_t": group.created})
