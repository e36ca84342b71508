"""Stanzas the library cannot pass on, and many that merely look as if."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.simulator.api import Account, Jid, Node, Simulator, node

Maker = Callable[["Cast"], Node]
NOW = 1_780_000_000


class Cast:
    """Who plays in a stanza."""

    def __init__(self, wa: Simulator, alice: Account, bob: Account, group: Jid) -> None:
        self.wa, self.alice, self.bob, self.group = wa, alice, bob, group

    def notification(self, kind: str, *children: Node, sender: Jid | None = None, **attrs: str | Jid) -> Node:
        return self.wa.world.notification(sender or self.bob.lid, kind, *children, **attrs)

    def group_change(self, *children: Node, has_actor: bool = True) -> Node:
        actor = {"participant": self.bob.lid} if has_actor else {}
        return self.notification("w:gp2", *children, sender=self.group, **actor)

    def receipt(self, kind: str) -> Node:
        return node("receipt", {"from": self.bob.lid, "id": "X1", "type": kind, "t": NOW})

    def call(self, tag: str, *, platform: str = "android", **attrs: str) -> Node:
        head: dict[str, str | Jid | int | None] = {
            "from": self.bob.lid,
            "id": self.wa.world.next_id(),
            "t": NOW,
            "notify": "Bob",
            "platform": platform,
            "version": "2",
        }
        child = node(tag, {"call-id": "CALL1", "call-creator": self.bob.lid, **attrs})
        return node("call", head, [child])


POISON: Mapping[str, Maker] = {
    "receipt server-error": lambda cast: cast.receipt("server-error"),
    "receipt enc_rekey_retry": lambda cast: cast.receipt("enc_rekey_retry"),
    "receipt of the future": lambda cast: cast.receipt("telepathic"),
    "chat state unknown": lambda cast: node("chatstate", {"from": cast.bob.lid}, [node("dancing")]),
    "chat state unknown media": lambda cast: node(
        "chatstate", {"from": cast.bob.lid}, [node("composing", {"media": "video"})]
    ),
}

STRANGE: Mapping[str, Maker] = {
    "receipt played-self": lambda cast: cast.receipt("played-self"),
    "presence without time": lambda cast: node("presence", {"from": cast.bob.lid, "type": "unavailable"}),
    "presence denied": lambda cast: node(
        "presence", {"from": cast.bob.lid, "type": "unavailable", "last": "deny"}
    ),
    "group subject without actor": lambda cast: cast.group_change(
        node("subject", {"subject": "x", "s_t": NOW}), has_actor=False
    ),
    "group suspended": lambda cast: cast.group_change(node("suspended"), has_actor=False),
    "group change unknown": lambda cast: cast.group_change(node("wat", {"a": cast.bob.lid}, b"xx")),
    "group deleted": lambda cast: cast.group_change(node("delete", {"reason": "x"})),
    "group ephemeral": lambda cast: cast.group_change(node("ephemeral", {"expiration": 86400})),
    "group description gone": lambda cast: cast.group_change(node("description", {"id": "1"}, [node("delete")])),
    "group link": lambda cast: cast.group_change(
        node(
            "link",
            {"link_type": "sub_group"},
            [node("group", {"jid": cast.group, "subject": "s", "s_t": NOW})],
        )
    ),
    "picture without id": lambda cast: cast.notification(
        "picture", node("set", {"jid": cast.bob.lid, "hash": "x"})
    ),
    "picture deleted": lambda cast: cast.notification("picture", node("delete", {"jid": cast.bob.lid})),
    "identity change": lambda cast: cast.notification("encrypt", node("identity")),
    "media retry": lambda cast: cast.notification(
        "mediaretry", node("rmr", {"jid": cast.bob.lid, "from_me": "true"}), node("error", {"code": "2"})
    ),
    "blocklist": lambda cast: cast.notification(
        "account_sync",
        node(
            "blocklist",
            {"dhash": "1", "action": "modify", "prev_dhash": "0"},
            [node("item", {"jid": cast.bob.lid, "action": "block"})],
        ),
        sender=cast.alice.lid,
    ),
    "privacy of the future": lambda cast: cast.notification(
        "account_sync",
        node("privacy", {}, [node("category", {"name": "new_thing", "value": "weird"})]),
        sender=cast.alice.lid,
    ),
    "newsletter left": lambda cast: cast.notification(
        "mex",
        node(
            "update",
            {"op_name": "x"},
            b'{"data":{"xwa2_notify_newsletter_on_leave":{"id":"1203631@newsletter"}}}',
        ),
        sender=Jid("", "s.whatsapp.net"),
    ),
    "call offer": lambda cast: cast.call("offer"),
    "call ended": lambda cast: cast.call("terminate", reason="timeout"),
    "call unknown": lambda cast: cast.call("frobnicate"),
    "call relay latency": lambda cast: cast.call("relaylatency"),
    "stream acknowledgement": lambda cast: node("stream:error", {}, [node("ack", {"id": "1"})]),
    "dirty groups": lambda cast: node(
        "ib", {"from": Jid("", "s.whatsapp.net")}, [node("dirty", {"type": "groups", "timestamp": NOW})]
    ),
}
