"""Something that is read while it is written: how far, and when not at all."""

from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.tasks import Growth, Unfinished


async def test_the_last_bytes_come_with_the_word_that_all_is_right() -> None:
    growth = Growth(1_000)
    growth.grew(400)
    assert await growth.wait_beyond(0) == 400
    waiting = asyncio.ensure_future(growth.wait_beyond(400))
    growth.grew(1_000)
    held = await waiting
    assert held == 1_000 - Growth.HELD_BYTES
    waiting = asyncio.ensure_future(growth.wait_beyond(held))
    await asyncio.sleep(0)
    assert not waiting.done()
    growth.end()
    assert await waiting == 1_000


async def test_of_what_is_tiny_nothing_is_read_before_its_end() -> None:
    growth = Growth(10)
    growth.grew(10)
    waiting = asyncio.ensure_future(growth.wait_beyond(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    growth.end()
    assert await waiting == 10


@pytest.mark.parametrize("written", [0, 999, 1_001])
async def test_another_size_than_was_said_is_never_whole(written: int) -> None:
    growth = Growth(1_000)
    growth.grew(written)
    growth.end()
    with pytest.raises(Unfinished):
        await growth.wait_beyond(0)
