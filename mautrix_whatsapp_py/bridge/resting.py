"""Waiting that news can end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mautrix_whatsapp_py.errors import MatrixUnreachable, StoreUnavailable
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff

_Result = TypeVar("_Result")


async def rest(clock: Clock, seconds: float, wake: asyncio.Event) -> None:
    """Wait so long, or until the event is set."""
    resting = asyncio.ensure_future(clock.sleep(seconds))
    waking = asyncio.ensure_future(wake.wait())
    try:
        await asyncio.wait({resting, waking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        resting.cancel()
        waking.cancel()


async def insist(action: Callable[[], Awaitable[_Result]], clock: Clock, stopping: asyncio.Event) -> _Result:
    """Do something that must not be lost, as soon as homeserver and database let us; not while stopping."""
    backoff = Backoff()
    while True:
        try:
            return await action()
        except (MatrixUnreachable, StoreUnavailable):
            if stopping.is_set():
                raise
        await rest(clock, backoff.next_seconds(), stopping)
