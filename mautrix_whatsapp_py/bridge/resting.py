"""Waiting that news can end."""

from __future__ import annotations

import asyncio

from mautrix_whatsapp_py.ports import Clock


async def rest(clock: Clock, seconds: float, wake: asyncio.Event) -> None:
    """Wait so long, or until the event is set."""
    resting = asyncio.ensure_future(clock.sleep(seconds))
    waking = asyncio.ensure_future(wake.wait())
    try:
        await asyncio.wait({resting, waking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        resting.cancel()
        waking.cancel()
