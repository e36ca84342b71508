"""What companions send to newsletters."""

from __future__ import annotations

from tests.simulator import newsletters
from tests.simulator.connection import Connection
from tests.simulator.newsletters import Newsletter
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.outgoing import Outgoing
from tests.simulator.protobufs import e2e
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World, now_seconds


def on_newsletter_message(world: World, connection: Connection, stanza: Node) -> None:
    """A post of the owner or somebody's reaction."""
    jid = stanza.jid("to")
    head: dict[str, AttrValue] = {
        "class": "message",
        "id": stanza.text("id"),
        "from": jid,
        "t": now_seconds(),
    }
    newsletter = world.newsletters.get(jid.user)
    if newsletter is None:
        connection.send(node("ack", {**head, "error": "404"}))
        raise ProtocolViolationError(ViolationKind.UNKNOWN_CHAT, str(jid), str(stanza))
    reaction = stanza.child("reaction")
    if reaction is not None:
        _on_reaction(world, newsletter, stanza, reaction)
        connection.send(node("ack", head))
    elif newsletter.owner is not connection.linked.account:
        connection.send(node("ack", {**head, "error": "403"}))
    else:
        message = e2e.Message.FromString(stanza.require_child("plaintext").data)
        outgoing = Outgoing(message=message, type=stanza.text("type"))
        post = newsletters.publish_post(world, newsletter, outgoing, message_id=stanza.text("id"))
        connection.send(node("ack", {**head, "server_id": post.server_id}))


def _on_reaction(world: World, newsletter: Newsletter, stanza: Node, reaction: Node) -> None:
    post = newsletter.post(stanza.number("server_id"))
    if post is None:
        raise ProtocolViolationError(ViolationKind.UNKNOWN_CHAT, "reaction to an unknown post", str(stanza))
    code = reaction.get_text("code")
    if code:
        newsletters.react(world, newsletter, post, code)
