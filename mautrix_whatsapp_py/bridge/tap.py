"""Where others than Matrix hear what comes from WhatsApp, in each chat's order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage

TakeMessage = Callable[[LoginId, WaMessage], Awaitable[None]]


class Tap:
    """Handed every message before it may be forgotten; nobody listens until somebody does."""

    def __init__(self) -> None:
        self._take: TakeMessage | None = None

    def bind(self, take: TakeMessage) -> None:
        """From now on, messages are handed there too; a message may be handed over again."""
        self._take = take

    async def pass_on(self, login_id: LoginId, event: WaEvent) -> None:
        """Durable when this returns. Raises StoreUnavailable."""
        if self._take is not None and isinstance(event, WaMessage):
            await self._take(login_id, event)
