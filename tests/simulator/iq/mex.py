"""GraphQL requests, which newsletters and the about text travel in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.simulator import newsletters
from tests.simulator.accounts import Account
from tests.simulator.connection import Connection
from tests.simulator.iq.people import set_about
from tests.simulator.jids import SERVER, Jid
from tests.simulator.newsletters import Newsletter
from tests.simulator.nodes import Node, node
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World

Variables = dict[str, Any]


class _NotFoundError(Exception):
    """The newsletter does not exist."""


def on_query(world: World, connection: Connection, iq: Node) -> None:
    """Answer by the number of the stored query."""
    asked = iq.require_child("query")
    handler = _QUERIES.get(asked.text("query_id"))
    if handler is None:
        raise ProtocolViolationError(ViolationKind.UNKNOWN_REQUEST, "GraphQL query", str(iq))
    try:
        data = handler(world, connection.linked.account, json.loads(asked.data)["variables"])
    except _NotFoundError:
        error = {"message": "Not found", "extensions": {"error_code": 404, "severity": "CRITICAL"}}
        connection.reply(iq, node("result", {}, json.dumps({"data": None, "errors": [error]})))
        return
    connection.reply(iq, node("result", {}, json.dumps({"data": data})))


def on_posts(world: World, connection: Connection, iq: Node) -> None:
    """Old posts of a newsletter."""
    asked = iq.require_child("messages")
    found = _find(world, str(asked.jid("jid")) if asked.get("jid") else asked.text("key"))
    before = asked.get_text("before")
    answer = newsletters.posts_node(
        found, count=int(asked.get_text("count") or 100), before=int(before) if before else None
    )
    connection.reply(iq, answer)


def on_live_updates(world: World, connection: Connection, iq: Node) -> None:
    """The device wants to see reaction counts move."""
    _find(world, str(iq.jid("to"))).watchers.add(connection.linked)
    connection.reply(iq, node("live_updates", {"duration": 300}))


def _on_info(world: World, account: Account, variables: Variables) -> Variables:
    found = _find(world, variables["input"]["key"])
    return {"xwa2_newsletter": newsletters.describe(found, account)}


def _on_subscribed(world: World, account: Account, _variables: Variables) -> Variables:
    mine = [n for n in world.newsletters.values() if account in n.subscribers]
    return {"xwa2_newsletter_subscribed": [newsletters.describe(n, account) for n in mine]}


def _on_create(world: World, account: Account, variables: Variables) -> Variables:
    asked = variables["newsletter_input"]
    made = newsletters.create_newsletter(world, account, asked["name"], asked.get("description", ""))
    return {"xwa2_newsletter_create": newsletters.describe(made, account)}


def _on_follow(world: World, account: Account, variables: Variables) -> Variables:
    found = _find(world, variables["newsletter_id"])
    found.subscribers.add(account)
    described = newsletters.describe(found, account)
    _tell(world, account, "xwa2_notify_newsletter_on_join", described)
    return {"xwa2_newsletter_join_v2": {"id": str(found.jid)}}


def _on_unfollow(world: World, account: Account, variables: Variables) -> Variables:
    found = _find(world, variables["newsletter_id"])
    found.subscribers.discard(account)
    _tell(world, account, "xwa2_notify_newsletter_on_leave", {"id": str(found.jid), "role": "GUEST"})
    return {"xwa2_newsletter_leave_v2": {"id": str(found.jid)}}


def _on_mute(world: World, account: Account, variables: Variables, *, is_muted: bool) -> Variables:
    found = _find(world, variables["newsletter_id"])
    (found.muted.add if is_muted else found.muted.discard)(account)
    change = {"id": str(found.jid), "mute": "ON" if is_muted else "OFF"}
    _tell(world, account, "xwa2_notify_newsletter_on_mute_change", change)
    return {"xwa2_newsletter_mute_v2": {"id": str(found.jid)}}


def _on_about(world: World, account: Account, variables: Variables) -> Variables:
    set_about(world, account, variables["input"]["text"])
    return {"xwa2_update_text_status": {"text": account.about}}


def _tell(world: World, account: Account, name: str, content: Variables) -> None:
    update = node("update", {"op_name": name}, json.dumps({"data": {name: content}}))
    world.deliver_to_account(account, world.notification(SERVER, "mex", update))


def _find(world: World, key: str) -> Newsletter:
    user = Jid.parse(key).user if "@" in key else key
    found = world.newsletters.get(user)
    found = found or next((n for n in world.newsletters.values() if n.invite == key), None)
    if found is None:
        raise _NotFoundError
    return found


_QUERIES: Final[Mapping[str, Callable[[World, Account, Variables], Variables]]] = {
    "6563316087068696": _on_info,
    "6388546374527196": _on_subscribed,
    "6234210096708695": _on_create,
    "9926858900719341": _on_follow,
    "6392786840836363": _on_unfollow,
    "6274038279359549": lambda w, a, v: _on_mute(w, a, v, is_muted=True),
    "6068417879924485": lambda w, a, v: _on_mute(w, a, v, is_muted=False),
    "9152604461510864": _on_about,
}
