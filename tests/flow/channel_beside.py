"""A channel beside Matrix on the same account, looked at from both sides."""

from __future__ import annotations

from typing import Any

import aiohttp

from tests.flow.test_talk_on_synapse import WAIT_SECONDS, Talk
from tests.homeserver.events import Event
from tests.simulator.api import kinds
from tests.simulator.kinds.actions import MessageRef

TOKEN = "a-long-word-for-tests-only"
START = "org.matrix.msc3381.poll.start"


def channel_section(port: int, *, heard: str) -> dict[str, object]:
    """A channel that hears one number and changes nothing that others see."""
    return {
        "enabled": True,
        "bridge_url": f"http://127.0.0.1:{port}/bridge",
        "token": TOKEN,
        "allow_from": [f"+{heard}"],
        "send_read_receipts": False,
    }


class Reader:
    """A program that uses the channel."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    async def call(self, path: str, body: object) -> Any:
        """Have something done."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as http,
            http.post(f"{self._url}{path}", json=body, headers=headers) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def operate(self, operation: str, **payload: object) -> Any:
        """One operation of the contract."""
        return (await self.call("/bridge", {"operation": operation, "payload": payload}))["payload"]

    async def take(self, *, wait_ms: int) -> list[str]:
        """What waits, acknowledged."""
        items = (await self.operate("receive_batch", wait_ms=wait_ms, max=100))["messages"]
        for item in items:
            await self.operate("ack_inbound", message=item)
        return [item["text"] for item in items]


async def check_channel_beside_matrix(talk: Talk, reader: Reader) -> None:
    """Both faces hear a message once, and Matrix sees what the reader says and asks."""
    # All that was written before this was heard here too.
    assert "hello" in await reader.take(wait_ms=0)
    await talk.ben.phone.text(talk.own.pn, "for both of you")
    await talk.hears("for both of you")
    assert await reader.take(wait_ms=20_000) == ["for both of you"]

    target = {"id": f"contact:+{talk.ben.pn.user}"}
    say = {"target": target, "message": {"text": "the reader says hi"}, "idempotency_key": "say"}
    sent = await reader.operate("send_message", **say)
    own = f"@whatsapp_{talk.own.pn.user}:localhost"
    await talk.hears("the reader says hi", sender=own)
    ask = {"target": target["id"], "question": "Which face?", "options": ["This", "That"]}
    asked = await reader.call("/v1/polls", ask)

    def is_poll(event: Event) -> bool:
        return event.type == START and "Which face?" in str(event.content)

    await talk.alice.wait_for(is_poll, deadline_seconds=WAIT_SECONDS)
    while True:
        made = await talk.ben.phone.receive_next(WAIT_SECONDS)
        if made.message_id == asked["message_ids"][0]:
            break
    secret = made.message.messageContextInfo.messageSecret
    poll = MessageRef(
        chat=talk.own.lid, message_id=made.message_id, sender=talk.own.lid, is_own=False, secret=secret
    )
    await talk.ben.phone.send(talk.own.pn, kinds.poll_vote(poll, talk.ben.lid, ["That"]))
    (vote,) = await reader.take(wait_ms=20_000)
    assert vote.startswith("<vote>\n- That")
    await talk.hears("2. That – 1 vote", sender=own)

    await talk.stage.bridge.stop()
    await talk.stage.bridge.start()
    assert await reader.operate("send_message", **say) == sent
    await talk.ben.phone.text(talk.own.pn, "after the restart")
    await talk.hears("after the restart")
    assert await reader.take(wait_ms=20_000) == ["after the restart"]
    bodies = [str(event.content.get("body")) for event in talk.alice.events if event.room_id == talk.room]
    assert sum("the reader says hi" in body for body in bodies) == 1
