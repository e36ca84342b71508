"""Newsletters: subscribers, posts and reactions; nothing here is end-to-end encrypted."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.accounts import Account, Device
from tests.simulator.jids import NEWSLETTER, Jid
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.outgoing import Outgoing, make_message_id
from tests.simulator.world import World, now_seconds


@dataclass(slots=True, kw_only=True)
class Post:
    """One message of a newsletter."""

    server_id: int
    message_id: str
    type: str
    message: Any
    at: int
    views: int = 1
    reactions: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class Newsletter:
    """One channel."""

    jid: Jid
    name: str
    description: str
    owner: Account
    invite: str
    created: int = field(default_factory=now_seconds)
    subscribers: set[Account] = field(default_factory=set)
    muted: set[Account] = field(default_factory=set)
    watchers: set[Device] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)

    def role_of(self, account: Account) -> str:
        """What the account is to the newsletter."""
        if account is self.owner:
            return "OWNER"
        return "SUBSCRIBER" if account in self.subscribers else "GUEST"

    def post(self, server_id: int) -> Post | None:
        """The post with this number."""
        return next((post for post in self.posts if post.server_id == server_id), None)


def create_newsletter(world: World, owner: Account, name: str, description: str = "") -> Newsletter:
    """Open a channel."""
    number = f"1203631{random.randrange(10**11):011d}"
    newsletter = Newsletter(
        jid=Jid(number, NEWSLETTER),
        name=name,
        description=description,
        owner=owner,
        invite=f"0029Va{number[-8:]}",
        subscribers={owner},
    )
    world.newsletters[number] = newsletter
    return newsletter


def publish_post(
    world: World, newsletter: Newsletter, outgoing: Outgoing, *, message_id: str | None = None
) -> Post:
    """Publish a post to all subscribers."""
    post = Post(
        server_id=100 + len(newsletter.posts),
        message_id=message_id or make_message_id(),
        type=outgoing.type,
        message=outgoing.message,
        at=now_seconds(),
    )
    newsletter.posts.append(post)
    attrs: dict[str, AttrValue] = {"from": newsletter.jid, "is_sender": None}
    for account in newsletter.subscribers:
        stanza = _post_node(post, media_type=outgoing.media_type).with_attrs(**attrs)
        world.deliver_to_account(account, stanza)
    return post


def react(world: World, newsletter: Newsletter, post: Post, emoji: str) -> None:
    """Somebody reacts to a post; live watchers see the new counts."""
    post.reactions[emoji] = post.reactions.get(emoji, 0) + 1
    for device in newsletter.watchers:
        update = node("live_updates", {}, [_counts_node(post)])
        world.deliver(device, world.notification(newsletter.jid, "newsletter", update))


def describe(newsletter: Newsletter, viewer: Account) -> dict[str, Any]:
    """The metadata as the GraphQL answers spell it."""
    stamp = str(newsletter.created)
    picture = {"id": "0", "direct_path": "", "url": "", "type": "IMAGE"}
    return {
        "id": str(newsletter.jid),
        "state": {"type": "ACTIVE"},
        "thread_metadata": {
            "creation_time": stamp,
            "invite": newsletter.invite,
            "name": {"text": newsletter.name, "id": stamp, "update_time": stamp},
            "description": {"text": newsletter.description, "id": stamp, "update_time": stamp},
            "picture": picture,
            "preview": {**picture, "type": "PREVIEW"},
            "settings": {"reaction_codes": {"value": "ALL"}},
            "subscribers_count": str(len(newsletter.subscribers)),
            "verification": "UNVERIFIED",
        },
        "viewer_metadata": {
            "mute": "ON" if viewer in newsletter.muted else "OFF",
            "role": newsletter.role_of(viewer),
        },
    }


def posts_node(newsletter: Newsletter, *, count: int, before: int | None) -> Node:
    """The newest posts, or those before a number."""
    chosen = [post for post in newsletter.posts if before is None or post.server_id < before][-count:]
    listed = [_with_counts(post) for post in chosen]
    return node("messages", {"jid": newsletter.jid, "t": now_seconds()}, listed)


def _post_node(post: Post, *, media_type: str | None = None) -> Node:
    plain = node("plaintext", {"mediatype": media_type}, post.message.SerializeToString())
    attrs: dict[str, AttrValue] = {
        "id": post.message_id,
        "server_id": post.server_id,
        "t": post.at,
        "type": post.type,
    }
    return node("message", attrs, [plain])


def _with_counts(post: Post) -> Node:
    full = _post_node(post)
    return node("message", full.attrs, [*full.children, *_counts(post)])


def _counts_node(post: Post) -> Node:
    attrs: dict[str, AttrValue] = {
        "id": post.message_id,
        "server_id": post.server_id,
        "t": post.at,
        "type": post.type,
    }
    return node("message", attrs, _counts(post))


def _counts(post: Post) -> list[Node]:
    reactions = [node("reaction", {"code": code, "count": n}) for code, n in post.reactions.items()]
    return [node("views_count", {"count": post.views}), node("reactions", {}, reactions)]
