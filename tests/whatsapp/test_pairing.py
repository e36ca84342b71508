"""Linking an account, and every way it can fail, with the real library."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mautrix_whatsapp_py.model.wa_link import (
    WaPaired,
    WaPairingFailed,
    WaPairingFailure,
    WaPhoneCode,
    WaQrCode,
    WaStateKind,
)
from mautrix_whatsapp_py.whatsapp.pairing import PairingAttempt
from tests.simulator.api import Network, PairingRefusedError, WrongCodeError, simulator
from tests.whatsapp.harness import Bench, bench, scan

pytestmark = pytest.mark.neonize


def leftovers(it: Bench) -> list[Path]:
    return list((it.options.folder / "pairings").iterdir())


async def last_step(attempt: PairingAttempt) -> WaPaired | WaPairingFailed:
    async with asyncio.timeout(60):
        steps = [step async for step in attempt.steps()]
    last = steps[-1]
    assert isinstance(last, WaPaired | WaPairingFailed)
    return last


async def test_qr_pairing_tells_who_was_linked(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice = wa.add_account("15550001111", "Alice")
        _, paired = await scan(await it.network.start_pairing(), alice)
        assert paired.device.login == "15550001111"
        assert paired.device.jid.user == "15550001111"
        assert paired.device.lid is not None
        assert paired.device.lid.user == alice.lid.user
        assert not paired.has_replaced
        await it.sink.until_state(paired.device.login, WaStateKind.CONNECTED)
        assert leftovers(it) == []


async def test_wrong_code_then_right_code(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice = wa.add_account("15550001111", "Alice")
        attempt = await it.network.start_pairing("+1 (555) 000-1111")
        steps = attempt.steps()
        first = await anext(steps)
        assert isinstance(first, WaPhoneCode)
        assert len(first.code) == 9
        wrong = first.code[:-1] + ("A" if first.code[-1] != "A" else "B")
        with pytest.raises(WrongCodeError):
            await alice.phone.enter_code(wrong)
        again = await attempt.request_phone_code("+15550001111")
        await alice.phone.enter_code(again.code)
        paired = await anext(steps)
        assert isinstance(paired, WaPaired)
        await it.sink.until_state(paired.device.login, WaStateKind.CONNECTED)


async def test_nobody_scans(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data", pairing_seconds=1.0) as it:
        last = await last_step(await it.network.start_pairing())
        assert last == WaPairingFailed(reason=WaPairingFailure.TIMEOUT)
        assert leftovers(it) == []


async def test_socket_lost_while_a_code_is_shown(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        attempt = await it.network.start_pairing()
        steps = attempt.steps()
        assert isinstance(await anext(steps), WaQrCode)
        wa.proxy.drop_all()
        assert await anext(steps) == WaPairingFailed(reason=WaPairingFailure.TIMEOUT)
        assert leftovers(it) == []


async def test_cancel_leaves_nothing_behind(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        attempt = await it.network.start_pairing()
        steps = attempt.steps()
        assert isinstance(await anext(steps), WaQrCode)
        await attempt.cancel()
        assert await anext(steps) == WaPairingFailed(reason=WaPairingFailure.CANCELLED)
        assert leftovers(it) == []
        assert it.network.get_logins() == ()


async def test_no_network(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        with wa.network(Network.AWAY):
            last = await last_step(await it.network.start_pairing())
        assert last == WaPairingFailed(reason=WaPairingFailure.NETWORK)


async def test_outdated_client(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        with wa.failing_logins(405):
            last = await last_step(await it.network.start_pairing())
        assert last == WaPairingFailed(reason=WaPairingFailure.OUTDATED)


async def test_phone_with_four_devices_refuses(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data", pairing_seconds=2.0) as it:
        alice = wa.add_account("15550001111", "Alice")
        alice.max_companions = 0
        attempt = await it.network.start_pairing()
        steps = attempt.steps()
        code = await anext(steps)
        assert isinstance(code, WaQrCode)
        with pytest.raises(PairingRefusedError):
            await alice.phone.scan(code.data)
        last = await anext(steps)
        assert isinstance(last, WaPairingFailed)
        assert last.reason in (WaPairingFailure.TIMEOUT, WaPairingFailure.REFUSED)


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("12345", WaPairingFailure.NUMBER_TOO_SHORT),
        ("0170 1234567", WaPairingFailure.NUMBER_NOT_INTERNATIONAL),
        ("call me", WaPairingFailure.NUMBER_INVALID),
        ("+1555000111122223", WaPairingFailure.NUMBER_INVALID),
    ],
)
async def test_bad_number(tmp_path: Path, phone: str, reason: WaPairingFailure) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        last = await last_step(await it.network.start_pairing(phone))
        assert last == WaPairingFailed(reason=reason)


async def test_server_limits_codes(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        wa.add_account("15550001111", "Alice")
        wa.faults.refused_requests["md/set/link_code_companion_reg"] = (429, "rate-overlimit")
        last = await last_step(await it.network.start_pairing("15550001111"))
        assert last == WaPairingFailed(reason=WaPairingFailure.RATE_LIMITED)


async def test_linking_the_same_account_again_takes_its_place(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        _, former = await it.pair(alice)
        it.sink.is_acknowledging = False
        await bob.phone.text(alice.pn, "waits")
        await it.sink.until(lambda: "waits" in it.sink.texts())
        it.sink.states.clear()
        _, paired = await scan(await it.network.start_pairing(), alice)
        assert paired.has_replaced
        await it.sink.until_state(paired.device.login, WaStateKind.CONNECTED)
        assert former.number not in alice.devices
        it.sink.is_acknowledging = True
        await it.restart_network()
        await it.sink.until(lambda: "waits" in it.sink.texts())


async def test_a_hundred_cancelled_attempts_leave_nothing(tmp_path: Path) -> None:
    at_once = 5
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "data") as it:
        descriptors, threads = count("fd"), count("task")
        for _ in range(100 // at_once):
            attempts = [await it.network.start_pairing() for _ in range(at_once)]
            for attempt in attempts:
                assert isinstance(await anext(attempt.steps()), WaQrCode)
            await asyncio.gather(*(attempt.cancel() for attempt in attempts))
        await wa.trace.wait_for(lambda: not wa.world.refs, 30)
        assert leftovers(it) == []
        assert children() == []
        assert count("fd") <= descriptors + at_once
        assert count("task") <= threads + at_once


def count(folder: str) -> int:
    return sum(1 for _ in Path(f"/proc/self/{folder}").iterdir())


def children() -> list[str]:
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in pids if b"whatsapp.host" in Path(f"/proc/{pid}/cmdline").read_bytes()]
