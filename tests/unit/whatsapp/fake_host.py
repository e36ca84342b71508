"""A scripted session host: speaks the wire, holds no links.

What it does is told by environment: FAKE_HOST_MODE is `ok`, `die` (at once), `mute` (never a heartbeat),
`version` (of another age), `refuse` (every request), `reluctant` (the first request). It writes its requests to
FAKE_HOST_LOG, one kind per line.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from mautrix_whatsapp_py.ids import JournalSeq, LoginId
from mautrix_whatsapp_py.model.wa import WaUnknown
from mautrix_whatsapp_py.model.wa_link import WaHostStats, WaLinkFact, WaLinkKind
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.folders import socket_address


class FakeHost:
    """One process, any number of pretended sessions."""

    def __init__(self, name: str, mode: str) -> None:
        self.name = name
        self.mode = mode
        self.logins: list[LoginId] = []
        self.end = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = wire.host_channel(reader, writer)
        version = wire.VERSION + (1 if self.mode == "version" else 0)
        await channel.send(wire.Hello(version=version, name=self.name, pid=os.getpid(), logins=tuple(self.logins)))
        while (frame := await channel.receive(timeout_seconds=60)) is not None and not self.end.is_set():
            match frame:
                case wire.Request():
                    await self.answer(channel, frame)
                case wire.Shutdown():
                    note("Shutdown")
                    self.end.set()
                case wire.Ack():
                    for seq in frame.seqs:
                        note(f"Ack {seq}")
                case wire.Heartbeat() if self.mode != "mute":
                    stats = WaHostStats(
                        host=self.name, pid=os.getpid(), threads=int(os.environ.get("THREADS", "1"))
                    )
                    await channel.send(wire.Heartbeat(stats=stats))

    async def answer(self, channel: wire.Channel[wire.FromBridge], request: wire.Request) -> None:
        note(type(request.call).__name__)
        if self.mode == "reluctant":
            self.mode = "ok"
            await channel.send(wire.Refusal(id=request.id, code="folder"))
            return
        if self.mode == "refuse":
            await channel.send(wire.Refusal(id=request.id, code="busy"))
            return
        match request.call:
            case wire.StartSession(login=login):
                self.logins.append(login)
                fact = WaLinkFact(kind=WaLinkKind.CONNECTED, at=datetime.now(UTC))
                await channel.send(wire.LinkChanged(login=login, fact=fact))
                for seq in (5, 6, 5, 6):
                    await channel.send(
                        wire.Event(login=login, seq=JournalSeq(seq), event=WaUnknown(kind=str(seq)))
                    )
            case wire.StopSession(login=login):
                if login in self.logins:
                    self.logins.remove(login)
        await channel.send(wire.Reply(id=request.id, result=wire.Done()))


def note(line: str) -> None:
    """Tell the test what happened."""
    with Path(os.environ["FAKE_HOST_LOG"]).open("a") as file:
        file.write(f"{line}\n")


async def run(options: argparse.Namespace) -> None:
    """Serve until told to end."""
    host = FakeHost(options.name, os.environ.get("FAKE_HOST_MODE", "ok"))
    note(f"start {host.name}")
    if host.mode == "die":
        sys.exit("panic: told to")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, host.end.set)
    with socket_address(options.socket) as address:
        server = await asyncio.start_unix_server(host.serve, path=address)
    async with server:
        await host.end.wait()


def main() -> None:
    """Read the arguments the bridge appends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name")
    parser.add_argument("--socket", type=Path)
    options, _ = parser.parse_known_args()
    asyncio.run(run(options))
    os._exit(0)


if __name__ == "__main__":
    main()
