"""Killing the channel again and again, with the real client library: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.storm import is_long
from tests.flow.channel_stage import BEN, ChannelProcess, channel_stage
from tests.homeserver import PortPool
from tests.simulator.api import Account

pytestmark = pytest.mark.neonize

COUNT, KILLS = (1_000, 20) if is_long() else (40, 2)
"""Messages each way, and how often the channel is killed meanwhile."""
DEADLINE_SECONDS = 3_600 if is_long() else 120


async def read(channel: ChannelProcess, count: int, progress: list[int]) -> list[str]:
    """Take items and acknowledge them until so many are seen; their texts, in order."""
    seen: dict[str, str] = {}
    acknowledged: set[str] = set()
    while len(seen) < count or len(acknowledged) < count:
        try:
            for item in await channel.receive(wait_ms=500, most=5):
                cursor = item["delivery"]["ack_cursor"]
                assert cursor not in acknowledged, "it came again after its acknowledgement"
                assert seen.setdefault(cursor, item["text"]) == item["text"]
            # Also those whose acknowledgement may have been lost with its answer: it may be said again.
            for cursor in seen.keys() - acknowledged:
                await channel.operate("ack_inbound", {"ack_cursor": cursor})
                acknowledged.add(cursor)
                progress.append(1)
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.05)
    return list(seen.values())


async def write(channel: ChannelProcess, count: int, progress: list[int]) -> None:
    """Send texts, each until it is said to be sent."""
    for number in range(count):
        payload = {
            "target": {"id": f"contact:+{BEN}"},
            "message": {"text": f"out {number}"},
            "idempotency_key": f"key-{number}",
        }
        while True:
            try:
                await channel.operate("send_message", payload)
                progress.append(1)
                break
            except (aiohttp.ClientError, TimeoutError, AssertionError):
                await asyncio.sleep(0.05)


async def talk(own: Account, ben: Account, count: int) -> None:
    """Ben writes."""
    for number in range(count):
        await ben.phone.text(own.pn, f"in {number}")
        await asyncio.sleep(0.02)


async def test_a_killed_channel_neither_loses_nor_doubles(tmp_path: Path, ports: PortPool) -> None:
    async with channel_stage(tmp_path, ports, allow_from=[f"+{BEN}"]) as stage, asyncio.timeout(DEADLINE_SECONDS):
        channel, began = stage.channel, time.monotonic()
        progress: list[int] = []
        reading = asyncio.create_task(read(channel, COUNT, progress))
        work = [
            reading,
            asyncio.create_task(write(channel, COUNT, progress)),
            asyncio.create_task(talk(stage.own, stage.ben, COUNT)),
        ]
        for kill in range(KILLS):
            # Each time at another moment of the work.
            wanted = (kill + 1) * 2 * COUNT // (KILLS + 2)
            while len(progress) < wanted and not all(one.done() for one in work):
                await asyncio.sleep(0.01)
            await channel.process.kill()
            await channel.start()
        await asyncio.gather(*work)
        elapsed = time.monotonic() - began
        seen = [(await stage.ben.phone.receive_next(timeout_seconds=30)).text for _ in range(COUNT)]
        assert seen == [f"out {number}" for number in range(COUNT)]
        assert reading.result() == [f"in {number}" for number in range(COUNT)]
        await channel.process.stop()
        await channel.start()
        await channel.until_connected()
        assert await channel.receive(wait_ms=500) == []
        with pytest.raises(TimeoutError):
            await stage.ben.phone.receive_next(timeout_seconds=1)
        sys.stdout.write(f"\n{COUNT} messages each way, {KILLS} kills, {elapsed:.0f} s: none lost, none twice\n")
