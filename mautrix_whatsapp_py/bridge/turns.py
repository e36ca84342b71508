"""Work from outside a chat's events that must still be done in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mautrix_whatsapp_py.model.portal import PortalId

Result = TypeVar("Result")
Put = Callable[[PortalId, Callable[[], Awaitable[bool]]], None]


class Turns:
    """A way into the queues of chats for those who are there before the queues are."""

    def __init__(self) -> None:
        self._put: Put | None = None

    def bind(self, put: Put) -> None:
        """From now on, work is queued there."""
        self._put = put

    async def take(self, portal_id: PortalId, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do something when a chat has done all that came before; never from within the same chat's turn."""
        if self._put is None:
            return await work()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def run() -> bool:
            if future.cancelled():
                return True
            try:
                result = await work()
            except asyncio.CancelledError:
                future.cancel()
                raise
            except Exception as error:  # noqa: BLE001 handed to whoever waits
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)
            return True

        self._put(portal_id, run)
        return await future
