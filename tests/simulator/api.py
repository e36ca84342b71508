"""The public face of the simulator for tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.simulator import communities, groups, kinds, newsletters
from tests.simulator.accounts import Account, Addressing, Device
from tests.simulator.history import HistoryChunk, HistoryConversation, HistoryMessage
from tests.simulator.jids import BROADCAST, GROUP, LID, NEWSLETTER, PN, STATUS, Jid
from tests.simulator.launcher_command import host_command
from tests.simulator.library import LibraryClient, process_authority
from tests.simulator.media_host import MediaFault
from tests.simulator.nodes import Node, node
from tests.simulator.outgoing import Outgoing, Received
from tests.simulator.pairing import PairingRefusedError
from tests.simulator.phone import Phone
from tests.simulator.phone_link import WrongCodeError
from tests.simulator.proxy import Network
from tests.simulator.server import Simulator
from tests.simulator.trace import Direction
from tests.simulator.violations import ViolationKind

__all__ = [
    "BROADCAST",
    "GROUP",
    "LID",
    "NEWSLETTER",
    "PN",
    "STATUS",
    "Account",
    "Addressing",
    "Device",
    "Direction",
    "HistoryChunk",
    "HistoryConversation",
    "HistoryMessage",
    "Jid",
    "LibraryClient",
    "MediaFault",
    "Network",
    "Node",
    "Outgoing",
    "PairingRefusedError",
    "Phone",
    "Received",
    "Simulator",
    "ViolationKind",
    "WrongCodeError",
    "communities",
    "groups",
    "host_command",
    "kinds",
    "newsletters",
    "node",
    "simulator",
]


@contextlib.asynccontextmanager
async def simulator(workdir: Path) -> AsyncIterator[Simulator]:
    """Run a simulator; a protocol violation by any client fails the test when the block ends well."""
    running = Simulator(process_authority(), workdir)
    await running.start()
    try:
        yield running
    finally:
        # one after the other: the native core's client map is not safe
        for client in running.clients:
            await client.stop()
        await running.stop()
    running.trace.require_clean()
