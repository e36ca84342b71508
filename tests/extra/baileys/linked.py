"""The situations the tests start from."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.extra.baileys.driven import BaileysClient, baileys
from tests.simulator.api import Account, Device, LibraryClient, Simulator, ViolationKind, simulator
from tests.simulator.history import HistoryChunk
from tests.simulator.trace import Trace

# sent with every change of the stored credentials that is not a new push name
_EMPTY_PRESENCE: Final = "<presence/>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """Alice with Baileys linked, and Bob with a phone."""

    wa: Simulator
    alice: Account
    bob: Account
    client: BaileysClient
    device: Device


@contextlib.asynccontextmanager
async def strict_simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    """A simulator that forgives nothing but the one stanza Baileys sends by mistake."""
    async with simulator(tmp_path) as wa:
        yield wa
        _forgive_empty_presence(wa.trace)


@contextlib.asynccontextmanager
async def linked(tmp_path: Path, *history: HistoryChunk) -> AsyncIterator[Linked]:
    """Alice is linked by QR and has taken over the history, Bob is not."""
    async with strict_simulator(tmp_path) as wa, baileys(wa, tmp_path / "alice") as client:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        device = await client.pair(alice, *history)
        yield Linked(wa=wa, alice=alice, bob=bob, client=client, device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Alice with Baileys linked, and Bob with neonize linked."""

    wa: Simulator
    alice: Account
    bob: Account
    alices: BaileysClient
    bobs: LibraryClient


@contextlib.asynccontextmanager
async def mixed(tmp_path: Path) -> AsyncIterator[Mixed]:
    """Two different clients on two accounts."""
    async with linked(tmp_path) as x:
        bobs = x.wa.client("bob")
        await bobs.pair(x.bob)
        yield Mixed(wa=x.wa, alice=x.alice, bob=x.bob, alices=x.client, bobs=bobs)


def _forgive_empty_presence(trace: Trace) -> None:
    trace.violations[:] = [
        violation
        for violation in trace.violations
        if not (violation.kind is ViolationKind.UNKNOWN_REQUEST and violation.stanza == _EMPTY_PRESENCE)
    ]
