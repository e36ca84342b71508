"""`channel mcp` as an assistant speaks to it: the official client, a process, a channel."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters, stdio_client

from mautrix_whatsapp_py.store.store import Store
from tests.flow.channel_desk import BEN, TOKEN, Desk, desk_of
from tests.homeserver.runner import ENVIRONMENT

TOOLS = {
    "list_accounts",
    "list_chats",
    "read_messages",
    "wait_for_messages",
    "acknowledge",
    "send_message",
    "react",
    "send_poll",
    "list_pairing_requests",
    "approve_sender",
}


async def talk(session: ClientSession, desk: Desk) -> None:
    """Use the tools."""

    async def call(name: str, **words: Any) -> Any:
        result = await session.call_tool(name, words)
        assert not result.is_error, result
        return result.structured_content

    assert {tool.name for tool in (await session.list_tools()).tools} == TOOLS
    waiting = asyncio.create_task(call("wait_for_messages", seconds=30))
    message_id = await desk.hear("hello")
    (item,) = (await waiting)["items"]
    assert item["text"] == "hello"
    target = item["reply_target"]["id"]
    await call("send_message", target=target, text="hi", reply_to=message_id)
    await call("react", target=target, message_id=message_id, emoji="👍")
    await call("send_poll", target=target, question="When?", options=["now", "later"])
    assert len(desk.client.messages) == 3
    await call("acknowledge", ack_cursor=item["delivery"]["ack_cursor"])
    assert (await call("read_messages"))["items"] == []
    assert (await call("list_accounts"))["accounts"][0]["state"] == "CONNECTED"
    desk.directory.add_contact(BEN, "Ben")
    assert len((await call("list_chats"))["chats"]) == 1
    assert (await call("list_pairing_requests"))["requests"] == []
    refused = await session.call_tool("send_message", {"target": "contact:+15559998888", "text": "hi"})
    assert refused.is_error
    assert "allowed_chat_ids" in str(refused.content)
    assert (await session.call_tool("approve_sender", {"code": "ABCDEFGH"})).is_error


async def test_an_assistant_uses_the_channel(store: Store, tmp_path: Path) -> None:
    keys = {"allow_from": (f"+{BEN}",), "allowed_chat_ids": (f"+{BEN}",)}
    async with desk_of(store, tmp_path / "desk", **keys) as desk:
        channel = {"bridge_url": str(desk.http.make_url("/bridge")), "token": TOKEN}
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"channel": channel}))
        words = ["-m", "mautrix_whatsapp_py", "channel", "mcp", "-c", str(config)]
        server = StdioServerParameters(command=sys.executable, args=words, env=ENVIRONMENT)
        async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            await talk(session, desk)
