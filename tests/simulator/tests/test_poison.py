"""Odd stanzas: what the library survives, and what ends its event pump while the socket stays up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from neonize.aioze.events import ConnectedEv

from tests.simulator import groups
from tests.simulator.api import Jid, Node, node
from tests.simulator.jids import SERVER
from tests.simulator.nodes import AttrValue
from tests.simulator.tests.clients import Pair, alice_and_bob

pytestmark = pytest.mark.neonize

Make = Callable[[Pair, groups.Group], Node]


def notification(kind: str, child: Node, **attrs: AttrValue) -> Make:
    """A notification from Bob."""
    return lambda x, _g: x.wa.world.notification(x.bob.lid, kind, child).with_attrs(**attrs)


def about_group(child: Node) -> Make:
    """A group notification that names no actor."""
    return lambda x, g: x.wa.world.notification(g.jid, "w:gp2", child)


def about_account(child: Node) -> Make:
    """A notification about the own account."""
    return lambda x, _g: x.wa.world.notification(x.alice.lid, "account_sync", child)


def receipt(kind: str) -> Make:
    """A receipt of some type."""
    return lambda x, _g: node("receipt", {"from": x.bob.lid, "id": "R1", "type": kind, "t": 1_800_000_000})


def graph(name: str, content: object) -> Make:
    """A GraphQL notification."""
    text = json.dumps({"data": {name: content}})
    return lambda x, _g: x.wa.world.notification(SERVER, "mex", node("update", {"op_name": "x"}, text))


SURVIVED: dict[str, Make] = {
    "receipt without time": lambda x, _g: node("receipt", {"from": x.bob.lid, "id": "R1"}),
    "played on another device": receipt("played-self"),
    "presence without last seen": lambda x, _g: node("presence", {"from": x.bob.lid, "type": "unavailable"}),
    "subject without actor": about_group(node("subject", {"subject": "x", "s_t": 1_800_000_000})),
    "unknown group change": about_group(node("wat", {"a": "b"})),
    "suspended group": about_group(node("suspended")),
    "picture without id": notification("picture", node("set", {"jid": Jid("123", "lid"), "hash": "x"})),
    "own picture": about_account(node("picture")),
    "unknown privacy setting": about_account(
        node("privacy", {}, [node("category", {"name": "new", "value": "odd"})])
    ),
    "identity change": notification("encrypt", node("identity")),
    "about": notification("status", node("set", {}, "about")),
    "media retry": notification("mediaretry", node("error", {"code": "2"})),
    "unknown call step": lambda x, _g: node(
        "call", {"from": x.bob.lid, "id": "C1", "t": 1_800_000_000}, [node("waltz", {"call-id": "1"})]
    ),
    "dirty": lambda _x, _g: node("ib", {"from": SERVER}, [node("dirty", {"type": "groups", "timestamp": "1"})]),
    "unknown notification": notification("hologram", node("x")),
}
POISON: dict[str, Make] = {
    "server error receipt": receipt("server-error"),
    "unknown receipt": receipt("hologram"),
    "unknown typing state": lambda x, _g: node("chatstate", {"from": x.bob.lid}, [node("dancing")]),
    "unknown typing medium": lambda x, _g: node(
        "chatstate", {"from": x.bob.lid}, [node("composing", {"media": "hologram"})]
    ),
    "left newsletter without role": graph("xwa2_notify_newsletter_on_leave", {"id": "1203631@newsletter"}),
}


async def test_what_the_library_survives(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        for name, make in SURVIVED.items():
            x.wa.deliver(x.device, make(x, group))
            await x.bob.phone.text(x.alice.pn, name)
            event = await x.client.message()
            assert event.Message.conversation == name


@pytest.mark.parametrize("name", POISON)
async def test_what_ends_the_event_pump(tmp_path: Path, name: str) -> None:
    async with alice_and_bob(tmp_path) as x:
        task = x.client.task
        assert task is not None
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        assert x.device.connection is not None
        x.device.connection.send(POISON[name](x, group))
        with pytest.raises(Exception, match="not set"):
            await task
        assert x.device.connection is not None
        await x.client.stop()
        again = x.wa.client("again", database=x.client.database)
        await again.connect()
        await again.wait(ConnectedEv)
        await x.bob.phone.text(x.alice.pn, "still there")
        assert (await again.message()).Message.conversation == "still there"
