"""What bringing over the past works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from mautrix_whatsapp_py.bridge.backfill.pace import Pace
from mautrix_whatsapp_py.bridge.from_whatsapp.audience import is_let_in
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import ensure_portal, resolve_key
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LID_SERVER, LoginId, WaJid
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.model.wa import WaSource
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_copies import MatrixCopies
from mautrix_whatsapp_py.ports_history import OpenHistory, WhatsAppHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSettings:
    """The part of the configuration that the past looks at."""

    is_enabled: bool = True
    max_messages: int = 50
    """In a new room; below 0 is no limit, here and below."""
    max_catchup: int = 500
    max_chats: int = -1
    max_age: timedelta | None = timedelta(days=30)
    unread_age: timedelta | None = timedelta(hours=720)
    wait: timedelta = timedelta(seconds=10)
    keep: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillDeps:
    """The surroundings."""

    talk: Talk
    open_history: OpenHistory
    management: ManagementRooms
    matrix: MatrixApi
    settings: BackfillSettings
    pace: Pace
    copies: MatrixCopies
    locks: dict[PortalId, asyncio.Lock] = field(default_factory=dict)

    def require_history(self, login_id: LoginId) -> WhatsAppHistory:
        """Where the past of an account is; WhatsAppUnavailable when there is no session."""
        history = self.open_history(login_id)
        if history is None:
            raise WhatsAppUnavailable(code="not-connected")
        return history

    async def find_portal(self, chat: WaJid, other: WaJid | None, login: Login) -> Portal | None:
        """The portal of a stored chat; None when it is not bridged, or not wanted."""
        source = WaSource(
            chat=chat,
            sender=chat,
            sender_alt=other,
            is_group=chat.is_group,
            is_lid_addressed=chat.server == LID_SERVER,
        )
        await self.talk.rooms.own_person(login)
        key = await resolve_key(source, login, self.talk)
        if key is None or not await is_let_in(key, source, login, self.talk):
            return None
        return await ensure_portal(key, self.talk)
