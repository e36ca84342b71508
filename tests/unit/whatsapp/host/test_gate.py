"""Calls reach the library only while it knows the session, and one connect or stop at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mautrix_whatsapp_py.whatsapp.host.gate import Gate, SessionNotLive, Turnstile, in_thread


async def test_a_closed_gate_refuses() -> None:
    gate = Gate("a", Turnstile(0))
    with pytest.raises(SessionNotLive):
        await gate.call(lambda: 1)
    gate.open()
    assert await gate.call(lambda: 1) == 1
    gate.close()
    with pytest.raises(SessionNotLive):
        await gate.call(lambda: 1)
    gate.shutdown()


async def test_a_call_counts_until_it_returns_even_when_nobody_waits() -> None:
    gate, release, entered = Gate("a", Turnstile(0)), threading.Event(), threading.Event()
    gate.open()

    def hang() -> int:
        entered.set()
        release.wait(10)
        return 7

    waiting = asyncio.create_task(gate.call(hang))
    await asyncio.to_thread(entered.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.close()
    assert gate.in_flight == 1
    assert not await gate.emptied(0.01)
    release.set()
    assert await gate.emptied(10)
    assert gate.in_flight == 0
    gate.shutdown()


async def test_errors_of_a_call_reach_the_caller() -> None:
    gate = Gate("a", Turnstile(0))
    gate.open()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await gate.call(fail)
    assert await gate.emptied(10)
    gate.shutdown()


async def test_one_turn_at_a_time() -> None:
    turnstile, inside, most = Turnstile(0), 0, 0

    async def take() -> None:
        nonlocal inside, most
        async with turnstile.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(take() for _ in range(20)))
    assert most == 1


async def test_calls_wait_while_the_maps_are_written() -> None:
    turnstile = Turnstile(0)
    gate = Gate("a", turnstile)
    gate.open()
    async with turnstile.turn():
        call = asyncio.create_task(gate.call(lambda: threading.current_thread().name))
        await asyncio.sleep(0)
        assert gate.in_flight == 0
    assert (await call).startswith("calls-a")
    gate.shutdown()


def wait_for(event: threading.Event) -> None:
    event.wait(10)


async def test_what_hangs_is_left_behind() -> None:
    release = threading.Event()
    assert not await in_thread(lambda: wait_for(release), name="hangs", timeout_seconds=0.01)
    release.set()
    assert await in_thread(lambda: None, name="returns", timeout_seconds=10)
