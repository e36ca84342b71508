"""Events that end the library's delivery, bursts, full disks and stuck callbacks."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import msgspec
import pytest

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa_link import WaStateKind
from tests.simulator import groups
from tests.simulator.api import Simulator, ViolationKind, simulator
from tests.whatsapp.harness import FAST, Bench, bench, report
from tests.whatsapp.strange import POISON, STRANGE, Cast

pytestmark = pytest.mark.neonize

LOGIN = LoginId("15550001111")
AFTER = 20
PACE_SECONDS = 0.005
BURST = 10_000


def has_text(it: Bench, text: str) -> bool:
    return text in it.sink.texts()


async def send_strange(it: Bench, wa: Simulator, cast: Cast, name: str) -> None:
    maker = {**POISON, **STRANGE}[name]
    device = next(iter(cast.alice.devices.values()))
    await wa.trace.wait_for(lambda: device.connection is not None and device.is_active, 30)
    assert device.connection is not None
    device.connection.send(maker(cast))


@pytest.mark.parametrize("name", POISON)
async def test_poison_costs_a_restart_and_next_to_nothing(tmp_path: Path, name: str) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        wa.trace.tolerate(*ViolationKind)
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, _ = await it.pair(alice)
        cast = Cast(wa, alice, bob, groups.create_group(wa.world, bob, "G", [alice]).jid)
        await bob.phone.text(alice.pn, "before")
        await it.sink.until(lambda: "before" in it.sink.texts())
        await send_strange(it, wa, cast, name)
        for number in range(AFTER):
            await bob.phone.text(alice.pn, str(number))
            await asyncio.sleep(PACE_SECONDS)
        await it.sink.until(lambda: str(AFTER - 1) in it.sink.texts())
        stats = await client.fetch_stats()
        received = [int(text) for text in it.sink.texts() if text != "before"]
    report(f"{name}: {AFTER - len(received)} of {AFTER} messages right behind it lost")
    assert stats.pump_deaths == 1
    assert received == sorted(set(received))
    assert AFTER - len(received) < 10


async def test_strange_events_change_nothing(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        wa.trace.tolerate(*ViolationKind)
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, _ = await it.pair(alice)
        cast = Cast(wa, alice, bob, groups.create_group(wa.world, bob, "G", [alice]).jid)
        for name in STRANGE:
            await send_strange(it, wa, cast, name)
            await bob.phone.text(alice.pn, name)
            await it.sink.until(partial(has_text, it, name))
        async with asyncio.timeout(20):
            while (stats := await client.fetch_stats()).journal_depth:
                await asyncio.sleep(0.02)
        assert stats.pump_deaths == 0
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        assert it.sink.texts() == list(STRANGE)


async def test_burst_of_ten_thousand(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice = wa.add_account("15550001111", "Alice")
        senders = [wa.add_account(f"1555000333{number}", f"Bob {number}") for number in range(3)]
        await it.pair(alice)
        for number in range(BURST):
            await senders[number % 3].phone.text(alice.pn, str(number))
            if number % 100 == 0:
                await asyncio.sleep(0)
        await it.sink.until(lambda: len(it.sink.texts()) >= BURST, seconds=240)
        texts = [int(text) for text in it.sink.texts()]
    assert sorted(texts) == list(range(BURST))
    for chat in range(3):
        ours = [text for text in texts if text % 3 == chat]
        assert ours == sorted(ours)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777 if path.exists() else 0


async def test_callback_stuck_for_another_reason_than_the_disk(tmp_path: Path) -> None:
    """A journal locked from outside holds the callback: the session restarts and goes on once it is free."""
    import sqlite3

    timings = msgspec.structs.replace(FAST, stuck_seconds=0.5, drain_seconds=0.5)
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data", timings=timings) as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, _ = await it.pair(alice)
        lock = sqlite3.connect(tmp_path / "data" / "sessions" / LOGIN / "journal.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        await bob.phone.text(alice.pn, "stuck")
        await it.sink.until_state(LOGIN, WaStateKind.TRANSIENT_DISCONNECT, "wa-transient-disconnect")
        lock.execute("COMMIT")
        lock.close()
        await it.sink.until_state(LOGIN, WaStateKind.CONNECTED)
        await bob.phone.text(alice.pn, "free")
        await it.sink.until(lambda: {"stuck", "free"} <= set(it.sink.texts()))
        assert (await client.fetch_stats()).restarts >= 1
