"""Where others than Matrix hear what comes from WhatsApp, in each chat's order."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage

log = logging.getLogger(__name__)

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
        if self._take is None or not isinstance(event, WaMessage):
            return
        try:
            await self._take(login_id, event)
        except StoreUnavailable:
            raise
        except Exception:
            # A fault of theirs must not keep the message from its room.
            log.exception("a message of login %s could not be handed on", login_tag(login_id))
