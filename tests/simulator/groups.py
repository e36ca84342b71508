"""Groups and communities: state, changes, and the notifications they cause."""

from __future__ import annotations

import base64
import enum
import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.simulator.accounts import Account, Picture
from tests.simulator.jids import GROUP, Jid
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.world import World, now_seconds


class Role(enum.StrEnum):
    """A member's rank as it is spelled on the wire."""

    MEMBER = ""
    ADMIN = "admin"
    OWNER = "superadmin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A group description."""

    topic_id: str
    text: str
    author: Jid
    at: int


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """One group; members are keyed by the user part of their LID."""

    jid: Jid
    subject: str
    creator: Account
    members: dict[str, Role]
    created: int = field(default_factory=now_seconds)
    topic: Topic | None = None
    picture: Picture | None = None
    flags: set[str] = field(default_factory=set)
    ephemeral_seconds: int = 0
    invite: str = field(default_factory=lambda: make_invite())
    addressing: str = "lid"
    is_community: bool = False
    is_announcement_group: bool = False
    parent: Jid | None = None
    join_requests: dict[str, int] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    """Members whom lists of members leave out."""

    def is_admin(self, account: Account) -> bool:
        """True for admins and the owner."""
        return self.members.get(account.lid.user, Role.MEMBER) is not Role.MEMBER

    def has(self, account: Account) -> bool:
        """True for members."""
        return account.lid.user in self.members


def make_invite() -> str:
    """A fresh invite code."""
    return base64.b32encode(os.urandom(10)).decode()


def members_of(world: World, group: Group) -> list[Account]:
    """The members as accounts."""
    return [world.accounts.by_lid_user(user) for user in group.members]


def person_attrs(account: Account) -> dict[str, AttrValue]:
    """How a participant node names a person."""
    return {"jid": account.lid, "phone_number": account.pn}


def describe(world: World, group: Group) -> Node:
    """The `<group>` node with everything a client may know."""
    children = [
        node("participant", {**person_attrs(member), "type": group.members[member.lid.user]})
        for member in members_of(world, group)
        if member.lid.user not in group.unlisted
    ]
    if group.topic:
        attrs: dict[str, AttrValue] = {
            "id": group.topic.topic_id,
            "participant": group.topic.author,
            "t": group.topic.at,
        }
        children.append(node("description", attrs, [node("body", {}, group.topic.text)]))
    children += [node(flag) for flag in sorted(group.flags - {"membership_approval_mode"})]
    if "membership_approval_mode" in group.flags:
        children.append(node("membership_approval_mode", {}, [node("group_join", {"state": "on"})]))
    if group.ephemeral_seconds:
        children.append(node("ephemeral", {"expiration": group.ephemeral_seconds}))
    if group.is_community:
        children.append(node("parent", {"default_membership_approval_mode": "request_required"}))
    if group.parent:
        children.append(node("linked_parent", {"jid": group.parent}))
    if group.is_announcement_group:
        children.append(node("default_sub_group"))
    children.append(node("member_add_mode", {}, b"all_member_add"))
    head: dict[str, AttrValue] = {
        "id": group.jid.user,
        "creator": group.creator.lid,
        "creator_pn": group.creator.pn,
        "subject": group.subject,
        "s_t": group.created,
        "s_o": group.creator.lid,
        "s_o_pn": group.creator.pn,
        "creation": group.created,
        "a_v_id": "1",
        "p_v_id": "1",
        "size": len(group.members),
        "addressing_mode": group.addressing,
    }
    return node("group", head, children)


def notify(
    world: World, group: Group, actor: Account | None, child: Node, to: Iterable[Account] | None = None
) -> None:
    """Tell the companions of all members, or of the given people, about a change."""
    attrs: dict[str, AttrValue] = {"addressing_mode": group.addressing}
    if actor:
        attrs |= {"notify": actor.name, "participant": actor.lid, "participant_pn": actor.pn}
    for account in members_of(world, group) if to is None else to:
        world.deliver_to_account(account, world.notification(group.jid, "w:gp2", child, **attrs))


def create_group(
    world: World, creator: Account, subject: str, members: Sequence[Account] = (), *, key: str | None = None
) -> Group:
    """Create a group and tell everybody in it."""
    group = make_group(world, creator, subject, members)
    announce_creation(world, group, creator, key=key)
    return group


def make_group(world: World, creator: Account, subject: str, members: Sequence[Account] = ()) -> Group:
    """Create a group nobody is told about."""
    group = Group(
        jid=Jid(f"1203630{random.randrange(10**11):011d}", GROUP),
        subject=subject,
        creator=creator,
        members={creator.lid.user: Role.OWNER, **{m.lid.user: Role.MEMBER for m in members}},
    )
    world.groups[group.jid.user] = group
    return group


def announce_creation(world: World, group: Group, creator: Account, *, key: str | None = None) -> None:
    """Send the creation notice to all members."""
    attrs: dict[str, AttrValue] = {"type": "new", "key": key or world.next_id()}
    notify(world, group, creator, node("create", attrs, [describe(world, group)]))


def change_members(
    world: World, group: Group, actor: Account, action: str, people: Sequence[Account], **attrs: AttrValue
) -> None:
    """Add, remove, promote or demote people and tell those concerned."""
    before = members_of(world, group)
    for person in people:
        _change_member(group, action, person)
    children = [node("participant", person_attrs(person)) for person in people]
    change = node(action, {"v_id": "2", "prev_v_id": "1", **attrs}, children)
    if action != "add":
        notify(world, group, actor, change, to=before)
        return
    welcome = node("create", {"reason": "invite"}, [describe(world, group)])
    notify(world, group, actor, welcome, to=[p for p in people if p not in before])
    notify(world, group, actor, change, to=before)


def _change_member(group: Group, action: str, person: Account) -> None:
    user = person.lid.user
    match action:
        case "add":
            group.members.setdefault(user, Role.MEMBER)
            group.join_requests.pop(user, None)
        case "remove":
            group.members.pop(user, None)
        case "promote" if user in group.members:
            group.members[user] = Role.ADMIN
        case "demote" if user in group.members:
            group.members[user] = Role.MEMBER


def rename(world: World, group: Group, actor: Account, subject: str) -> None:
    """Set the subject."""
    group.subject = subject
    attrs: dict[str, AttrValue] = {
        "subject": subject,
        "s_t": now_seconds(),
        "s_o": actor.lid,
        "s_o_pn": actor.pn,
    }
    notify(world, group, actor, node("subject", attrs))


def set_topic(world: World, group: Group, actor: Account, text: str | None, topic_id: str | None = None) -> None:
    """Set or remove the description."""
    new_id = topic_id or world.next_id()
    group.topic = Topic(topic_id=new_id, text=text, author=actor.lid, at=now_seconds()) if text else None
    body = node("body", {}, text) if text else node("delete")
    notify(world, group, actor, node("description", {"id": new_id}, [body]))


def set_flag(world: World, group: Group, actor: Account, tag: str) -> None:
    """Apply `announcement`, `not_announcement`, `locked` or `unlocked`."""
    match tag:
        case "announcement" | "locked":
            group.flags.add(tag)
        case "not_announcement":
            group.flags.discard("announcement")
        case "unlocked":
            group.flags.discard("locked")
    notify(world, group, actor, node(tag, {"v_id": "3"}))


def set_ephemeral(world: World, group: Group, actor: Account, seconds: int) -> None:
    """Set or switch off the disappearing timer."""
    group.ephemeral_seconds = seconds
    child = node("ephemeral", {"expiration": seconds, "trigger": "0"}) if seconds else node("not_ephemeral")
    notify(world, group, actor, child)


def set_join_approval(world: World, group: Group, actor: Account, *, is_required: bool) -> None:
    """Switch the approval of new members on or off."""
    (group.flags.add if is_required else group.flags.discard)("membership_approval_mode")
    state = node("group_join", {"state": "on" if is_required else "off"})
    notify(world, group, actor, node("membership_approval_mode", {}, [state]))


def set_picture(world: World, group: Group, actor: Account, data: bytes | None) -> str:
    """Set or remove the picture; returns its new id."""
    picture_id = str(random.randrange(10**9))
    group.picture = Picture(picture_id=picture_id, data=data) if data else None
    attrs: dict[str, AttrValue] = {"jid": group.jid, "author": actor.lid}
    child = node("set", {**attrs, "id": picture_id}) if data else node("delete", attrs)
    for member in members_of(world, group):
        world.deliver_to_account(member, world.notification(group.jid, "picture", child))
    return picture_id


def reset_invite(world: World, group: Group, actor: Account) -> None:
    """Make the old invite link useless."""
    group.invite = make_invite()
    notify(world, group, actor, node("invite", {"code": group.invite}))


def request_to_join(world: World, group: Group, person: Account) -> None:
    """Somebody asks to be let in."""
    group.join_requests[person.lid.user] = now_seconds()
    requested = node("requested_user", person_attrs(person))
    child = node("created_membership_requests", {"request_method": "invite_link"}, [requested])
    admins = [member for member in members_of(world, group) if group.is_admin(member)]
    notify(world, group, person, child, to=admins)


def delete_group(world: World, group: Group, actor: Account) -> None:
    """End a group for everybody."""
    notify(world, group, actor, node("delete", {"reason": "creator"}))
    del world.groups[group.jid.user]
