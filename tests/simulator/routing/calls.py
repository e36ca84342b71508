"""Call signalling."""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulator.accounts import Account
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.world import World, now_seconds


def route_call(
    world: World, caller: Account, target: Account, action: str, call_id: str, attrs: Mapping[str, AttrValue]
) -> None:
    """Tell the companions of the target about one step of a call."""
    is_video = attrs.get("media") == "video"
    step: dict[str, AttrValue] = {"call-id": call_id, "call-creator": caller.lid, **attrs}
    children: list[Node] = []
    if action == "offer":
        step.pop("media", None)
        children = [node("audio", {"enc": "opus", "rate": "16000"})]
        children += [node("video", {"enc": "vp8"})] if is_video else []
    head: dict[str, AttrValue] = {
        "from": caller.lid,
        "id": world.next_id(),
        "t": now_seconds(),
        "notify": caller.name,
        "platform": "android",
        "version": "2",
    }
    world.deliver_to_account(target, node("call", head, [node(action, step, children or None)]))
