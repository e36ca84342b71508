"""Keepalive and the end of the login."""

from __future__ import annotations

from tests.simulator.connection import Connection
from tests.simulator.nodes import Node, node
from tests.simulator.world import World


def on_ok(_world: World, connection: Connection, iq: Node) -> None:
    """Requests whose answer is an empty result."""
    connection.reply(iq)


def on_ping(world: World, connection: Connection, iq: Node) -> None:
    """Keepalive."""
    if not world.faults.is_ignoring_pings:
        connection.reply(iq)


def on_active(world: World, connection: Connection, iq: Node) -> None:
    """The device wants its offline queue and live stanzas."""
    connection.reply(iq)
    world.flush(connection)


def on_props(_world: World, connection: Connection, iq: Node) -> None:
    """Server-side switches; none are set."""
    connection.reply(iq, node("props", {"protocol": "1", "refresh": "86400", "hash": "simulator"}, []))
