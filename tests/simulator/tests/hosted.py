"""A tiny stand-in for a session host: links, answers one message with an echo, and ends."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from neonize.aioze.client import NewAClient
from neonize.aioze.events import ConnectedEv, MessageEv


async def main(database: str) -> None:
    """Print the QR code, wait for a message, answer it."""
    client: Any = NewAClient(database, uuid="hosted")
    answered = asyncio.Event()

    @client.event.qr  # type: ignore[untyped-decorator]
    async def on_qr(_client: Any, code: bytes) -> None:
        print("QR", code.decode(), flush=True)  # noqa: T201

    @client.event(ConnectedEv)  # type: ignore[untyped-decorator]
    async def on_connected(_client: Any, _event: Any) -> None:
        print("CONNECTED", flush=True)  # noqa: T201

    @client.event(MessageEv)  # type: ignore[untyped-decorator]
    async def on_message(_client: Any, event: Any) -> None:
        if event.Message.conversation:
            await client.send_message(event.Info.MessageSource.Chat, "echo " + event.Message.conversation)
            answered.set()

    await client.connect()
    await answered.wait()
    await client.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    # threads of the native core may outlive the session
    os._exit(0)
