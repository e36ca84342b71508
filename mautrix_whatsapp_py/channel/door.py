"""The way to a chat's queue and, where there is one, to its room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from mautrix_whatsapp_py.ids import LoginId, WaJid
from mautrix_whatsapp_py.model.content import WaSendable
from mautrix_whatsapp_py.model.wa_link import WaSendUncertain, WaSent

Work = Callable[[], Awaitable[bool]]
"""Whether it is settled, or must be tried again before anything behind it."""


class ChatDoor(Protocol):
    """Implemented by the bridge, and by the channel where it runs alone."""

    async def put(self, login_id: LoginId, chat: WaJid, work: Work) -> None:
        """Queue work behind all that a chat still has to do."""

    async def find_address(self, login_id: LoginId, chat: WaJid) -> WaJid:
        """How WhatsApp is told which chat is meant."""

    async def show(
        self, login_id: LoginId, chat: WaJid, sent: WaSent | WaSendUncertain, content: WaSendable
    ) -> None:
        """Show on Matrix what was sent; from within the chat's turn. Raises MatrixError and StoreError."""
