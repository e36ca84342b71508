"""Calls of a driver that cancellation does not cut in two."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def unbroken(call: Coroutine[Any, Any, Result]) -> Result:
    """Run a call to its end; a cancellation meanwhile is raised after it.

    A driver interrupted half-way leaves its connection in a state nobody knows (the thread of SQLite goes on), and
    cleaning that up can be interrupted as well. The calls have deadlines of their own.
    """
    task = asyncio.ensure_future(call)
    interruption: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interruption = error
    if interruption is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise interruption
