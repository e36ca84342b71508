"""Dispatch of everything a client sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.simulator.connection import Connection
from tests.simulator.iq.table import handle_iq
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.routing.messages import route_message
from tests.simulator.routing.newsletter_messages import on_newsletter_message
from tests.simulator.routing.presence import presence_node, route_chatstate, set_presence
from tests.simulator.routing.receipts import route_receipt
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World, now_seconds

# receipts that stand for an acknowledgement of the message
_ACKNOWLEDGING: Final = (None, "inactive", "sender", "peer_msg", "hist_sync", "retry", "server-error")


def handle_stanza(world: World, connection: Connection, stanza: Node) -> None:
    """React to one stanza; a client's mistake ends up in the assertion log."""
    try:
        handler = _HANDLERS.get(stanza.tag)
        if handler is None:
            raise ProtocolViolationError(ViolationKind.UNKNOWN_REQUEST, f"stanza <{stanza.tag}>", str(stanza))
        handler(world, connection, stanza)
    except ProtocolViolationError as error:
        world.trace.violate(error, peer=connection.name, stanza=stanza)
        if stanza.tag == "iq":
            connection.refuse(stanza, 400, "bad-request")


def _on_message(world: World, connection: Connection, stanza: Node) -> None:
    device = connection.linked
    stanza_id, to = stanza.text("id"), stanza.jid("to")
    refusal = world.faults.refused_requests.get("message")
    if refusal:
        attrs: dict[str, AttrValue] = {"class": "message", "id": stanza_id, "from": to, "error": refusal[0]}
        connection.send(node("ack", attrs))
        return
    if to.server == "newsletter":
        on_newsletter_message(world, connection, stanza)
        return
    connection.send(node("ack", {"class": "message", "id": stanza_id, "from": to, "t": now_seconds()}))
    route_message(world, device.account, device.number, stanza)


def _on_receipt(world: World, connection: Connection, stanza: Node) -> None:
    device = connection.linked
    kind, stanza_id, to = stanza.get_text("type"), stanza.text("id"), stanza.jid("to")
    attrs: dict[str, AttrValue] = {"class": "receipt", "id": stanza_id, "type": kind, "from": to}
    connection.send(node("ack", {**attrs, "participant": stanza.get("participant")}))
    if kind in _ACKNOWLEDGING:
        for message_id in _listed_ids(stanza):
            world.acknowledge(device, "message", message_id)
    route_receipt(world, device.account, device.number, stanza)


def _listed_ids(stanza: Node) -> list[str]:
    listed = stanza.child("list")
    more = [item.text("id") for item in listed.all("item")] if listed else []
    return [stanza.text("id"), *more]


def _on_ack(world: World, connection: Connection, stanza: Node) -> None:
    # before the login there is nothing to keep
    if connection.device:
        world.acknowledge(connection.device, stanza.text("class"), stanza.text("id"))


def _on_presence(world: World, connection: Connection, stanza: Node) -> None:
    account = connection.linked.account
    match stanza.get_text("type"):
        case "available" | "unavailable" as state:
            stanza.text("name")
            set_presence(world, account, is_online=state == "available")
        case "subscribe":
            target = world.accounts.require(stanza.jid("to"), stanza)
            target.watchers.add(account)
            connection.send(presence_node(target))
        case other:
            raise ProtocolViolationError(ViolationKind.UNKNOWN_REQUEST, f"presence {other!r}", str(stanza))


def _on_chatstate(world: World, connection: Connection, stanza: Node) -> None:
    route_chatstate(world, connection.linked.account, stanza)


def _on_call(world: World, connection: Connection, stanza: Node) -> None:
    account = connection.linked.account
    target = world.accounts.require(stanza.jid("to"), stanza)
    connection.send(node("ack", {"class": "call", "id": stanza.text("id"), "from": target.lid}))
    target.phone.on_call(account, stanza)


def _on_iq(world: World, connection: Connection, stanza: Node) -> None:
    if stanza.text("type") in ("result", "error"):
        connection.resolve(stanza)
    else:
        handle_iq(world, connection, stanza)


def _on_info(_world: World, _connection: Connection, _stanza: Node) -> None:
    """`<ib>` carries telemetry."""


_HANDLERS: Final[Mapping[str, Callable[[World, Connection, Node], None]]] = {
    "message": _on_message,
    "receipt": _on_receipt,
    "ack": _on_ack,
    "presence": _on_presence,
    "chatstate": _on_chatstate,
    "call": _on_call,
    "iq": _on_iq,
    "ib": _on_info,
}
