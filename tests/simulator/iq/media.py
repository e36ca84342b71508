"""Where media goes."""

from __future__ import annotations

from tests.simulator.connection import Connection
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.world import World


def on_media_conn(_world: World, connection: Connection, iq: Node) -> None:
    """The media hosts and a token for them."""
    hosts = [
        node("host", {"hostname": "mmg.whatsapp.net"}),
        node("host", {"hostname": "media-fake1-1.cdn.whatsapp.net"}),
    ]
    attrs: dict[str, AttrValue] = {"auth": "simulator-auth", "ttl": 300, "auth_ttl": 21600, "max_buckets": 12}
    connection.reply(iq, node("media_conn", attrs, hosts))
